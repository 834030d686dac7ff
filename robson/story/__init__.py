"""The post-mortem of a position: what was known, decided, sent and answered, in order, and by whom.

Assembled from what the database keeps; nothing is asked of the exchange. (`trading.explain` is something
else: it words errors.)
"""

from robson.story.assembly import Story, story_of_guard, story_of_position
from robson.story.line import Act, Line
from robson.story.verdict import Verdict

__all__ = ["Act", "Line", "Story", "Verdict", "story_of_guard", "story_of_position"]
