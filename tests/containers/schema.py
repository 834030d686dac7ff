"""What docker-compose.yml may consist of: the part of the Compose specification that it uses, strictly."""

from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1}
_DURATION = {"type": "string", "pattern": "^[0-9]+s$"}
_ENVIRONMENT = {"type": "object", "additionalProperties": {"type": "string"}}
_DEPENDENCY = {
    "type": "object",
    "properties": {
        "condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]},
    },
    "required": ["condition"],
    "additionalProperties": False,
}
_HEALTHCHECK = {
    "type": "object",
    "properties": {
        "test": {
            "type": "array",
            "items": _TEXT,
            "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}],
            "minItems": 2,
        },
        "interval": _DURATION,
        "timeout": _DURATION,
        "start_period": _DURATION,
        "retries": {"type": "integer", "minimum": 1},
    },
    "required": ["test", "interval", "timeout"],
    "additionalProperties": False,
}
_SERVICE = {
    "type": "object",
    "properties": {
        "build": _TEXT,
        "image": _TEXT,
        "command": _TEXTS,
        "environment": _ENVIRONMENT,
        "env_file": _TEXT,
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        # A volume by its name, or a file of the project, which the container cannot write.
        "volumes": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^([a-z]+:/[a-z/]+|\./[a-z/.]+:/[a-z/.]+:ro)$"},
        },
        "profiles": _TEXTS,
        "tmpfs": _TEXTS,
        "depends_on": {"type": "object", "additionalProperties": _DEPENDENCY},
        "healthcheck": _HEALTHCHECK,
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "read_only": {"type": "boolean"},
        "init": {"type": "boolean"},
        "cap_drop": _TEXTS,
        "security_opt": _TEXTS,
        "stop_signal": {"type": "string", "pattern": "^SIG[A-Z]+$"},
        "stop_grace_period": _DURATION,
    },
    "required": ["image", "restart"],
    "additionalProperties": False,
}
_VOLUME = {
    "type": ["object", "null"],
    "properties": {"driver": _TEXT, "driver_opts": {"type": "object", "additionalProperties": _TEXT}},
    "additionalProperties": False,
}
COMPOSE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "services": {"type": "object", "additionalProperties": _SERVICE, "minProperties": 1},
        "volumes": {"type": "object", "additionalProperties": _VOLUME},
    },
    "patternProperties": {"^x-": {}},
    "required": ["services"],
    "additionalProperties": False,
}
