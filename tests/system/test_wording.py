import pytest

from hairjax.parallel import mesh
from hairjax.system.errors import UserError
from hairjax.system.wording import counted


def test_a_number_with_its_noun():
    assert counted(1, "device") == "1 device"
    assert counted(0, "device") == "0 devices"
    assert counted(1200, "class", "classes") == "1,200 classes"
    assert counted(1, "class", "classes") == "1 class"


@pytest.mark.parametrize(
    ("devices", "said"), [(1, "there is 1 device"), (8, "there are 8 devices")]
)
def test_more_devices_asked_for_than_there_are(devices, said, monkeypatch):
    found = mesh.jax.devices()[:devices]
    monkeypatch.setattr(mesh.jax, "devices", lambda: found)
    with pytest.raises(UserError, match=rf"config.devices.mesh is 64, but {said} \(cpu\)"):
        mesh.make_mesh(64, 1)
