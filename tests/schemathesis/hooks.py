"""What Schemathesis does not know by itself."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    """Lines of JSON are a text to the document, and are sent as it stands."""
    return value.encode() if isinstance(value, str) else b""
