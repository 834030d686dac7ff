"""Pages are served as on a machine where `collectstatic` has run."""

from tests.robson.conftest import static_files

__all__ = ["static_files"]
