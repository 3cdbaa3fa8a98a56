"""One function of the local cloud by itself: under AWS's runtime interface emulator, or by `sam local`."""
