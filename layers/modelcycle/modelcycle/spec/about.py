"""The section `about` of the pipeline file: what only people know about a model. The documents quote it."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from modelcycle.spec.section import Section

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]


class About(Section):
    """What only people know about a model. Documents quote it, and show what is not written as missing."""

    model_config = ConfigDict(defer_build=True)

    purpose: Words | None = Field(None, description="what the model is for: the decision that it supports")
    users: Words | None = Field(None, description="who uses its answers, and how they are trained for it")
    people: Words | None = Field(None, description="about whom it decides, and which groups may be harmed")
    not_for: Words | None = Field(None, description="uses for which it is not made, and foreseeable misuse")
    provider: Words | None = Field(None, description="the organisation that is responsible for it")
    owner: Words | None = Field(None, description="the person or team that answers for it")
    contact: Words | None = Field(None, description="where to write")
    instructions: Words | None = Field(None, description="how people use an answer, or where that is written")
    interface: Words | None = Field(None, description="where people see its answers, other than the API")
    interaction: Words | None = Field(None, description="other systems that send it requests or act on its answers")
    oversight: Words | None = Field(None, description="who can overrule an answer, and how; Article 14 of the AI Act")
    risks: Words | None = Field(None, description="risks to health, safety and rights, and what is done about each")
    metric_choice: Words | None = Field(None, description="why the deciding metric fits the purpose")
    data_origin: Words | None = Field(None, description="where the rows come from, and who collected them for what")
    data_gaps: Words | None = Field(None, description="whom or what the data do not cover")
    labelling: Words | None = Field(None, description="how the target is determined, and by whom")
    legal_basis: Words | None = Field(None, description="why the rows may be used; Article 6 of the GDPR")
    standards: Words | None = Field(None, description="harmonised standards and other specifications that are applied")
    declaration: Words | None = Field(None, description="where the EU declaration of conformity is")
    plan_after_market: Words | None = Field(None, description="where the post-market monitoring plan is; Article 72")
