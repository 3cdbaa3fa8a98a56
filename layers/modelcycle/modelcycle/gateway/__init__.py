"""Requests of API Gateway as functions get them, and their answers: forms of events, bodies, compression."""
