"""The admin as a whole: its name, and nothing in it that this system does not use."""

from typing import Any

from django.contrib import admin
from django_celery_beat.models import ClockedSchedule, SolarSchedule
from django_celery_results.admin import TaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult

admin.site.site_header = "Robson"
admin.site.site_title = "Robson"
admin.site.index_title = "Positions, orders and protection"
# Lists are wide; the way back is in the breadcrumbs.
admin.site.enable_nav_sidebar = False
admin.site.unregister([ClockedSchedule, SolarSchedule, GroupResult, TaskResult])


@admin.register(TaskResult)
class Results(TaskResultAdmin):
    """What tasks left behind, to be read."""

    def has_add_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any, **__: Any) -> bool:
        return False
