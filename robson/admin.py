"""The admin as a whole: its name, and nothing in it that this system does not use."""

from django.contrib import admin
from django_celery_beat.models import ClockedSchedule, SolarSchedule
from django_celery_results.models import GroupResult

admin.site.site_header = "Robson"
admin.site.site_title = "Robson"
admin.site.index_title = "Positions, orders and protection"
admin.site.enable_nav_sidebar = True
admin.site.unregister([ClockedSchedule, SolarSchedule, GroupResult])
