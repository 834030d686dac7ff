"""What other apps would show, and this system does not use."""

from django.contrib import admin
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule
from django_celery_results.models import GroupResult

admin.site.index_title = "Positions, orders and protection"
# A row of intervals is shared by tasks: to edit one would change the poll by way of something else.
admin.site.unregister([ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule, GroupResult])
