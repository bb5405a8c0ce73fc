"""`python -m moot.runtime.healthcheck` asks whether the service in this container is ready.

It asks /readyz on 127.0.0.1 at HEALTH_PORT, and prints the answer. Exit code 0: it is; 1: it isn't,
or nobody answers.
"""

import os
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

ANSWERS_WITHIN_SECONDS = 4.0


def main() -> int:
    """Return the exit code."""
    connection = HTTPConnection(
        "127.0.0.1", int(os.environ["HEALTH_PORT"]), timeout=ANSWERS_WITHIN_SECONDS
    )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        sys.stdout.write(answer.read().decode())
    except (OSError, HTTPException) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0 if answer.status == HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
