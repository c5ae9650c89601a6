"""Whatever the OpenAPI document allows, and much that it does not: no 500, and no answer that the document denies."""

import subprocess
import sys
from pathlib import Path

import pytest
from hand import SPEC, Hand
from serving import Server

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,use_after_free,"
    "ensure_resource_availability,allow_header_conformance"
)
"""All but `positive_data_acceptance` (no schema says which specs make sense) and `ignored_auth` (see test_security)."""


READING = ("--include-method", "GET", "--include-method", "PATCH", "--include-method", "DELETE")
PHASES = {
    "drawn": ("--phases", "examples,fuzzing,stateful"),
    # Each constraint in turn: of a spec that would be thousands, which tests/core goes through without a server.
    "by constraint": ("--phases", "coverage", *READING),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("phases", PHASES)
def test_schemathesis_finds_nothing(phases: str, environment: dict[str, str], tmp_path: Path, hand: Hand) -> None:
    with Server(environment, tmp_path) as server:
        server.client.post("/experiments", json=SPEC)
        hand.train()
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "run"),
            f"http://127.0.0.1:{server.port}/openapi.json",
            *("--max-examples", "6", "--seed", "1", "--checks", CHECKS, *PHASES[phases]),
            # A stream of events has no end to wait for.
            *("--exclude-path-regex", "/events$", "--request-timeout", "30"),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
        assert '"level": "error"' not in server.log.read_text()
