"""Users and groups in the theme's look. Nobody is deleted: what he did would lose its author."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from trading.admin.readonly import ModelAdmin

admin.site.unregister([User, Group])


@admin.register(User)
class Users(auth.UserAdmin, ModelAdmin):  # type: ignore[type-arg]  # parameters come from the stubs only
    """One who must not come in any more is made inactive."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def has_delete_permission(self, *_: Any, **__: Any) -> bool:
        return False


@admin.register(Group)
class Groups(auth.GroupAdmin, ModelAdmin):
    """Permissions for several users."""
