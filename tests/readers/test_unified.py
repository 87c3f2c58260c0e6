"""What a unified kernel image boots: its profiles, and what lies beside it."""

import pytest

from readers.memory import tree
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.system import unified
from vmtiming_tui.images.system.initrd.joint import gap
from vmtiming_tui.images.system.kernel.kernels import choose_kernel, find_kernels
from vmtiming_tui.images.system.kernel.taking import left_beside, take_kernel

KERNEL = {".uname": b"6.9\n", ".linux": b"kernel", ".initrd": b"initrd", ".cmdline": b"quiet"}
RESET = {".profile": b"ID=reset\n", ".cmdline": b"reset", ".initrd": b"another"}


@pytest.fixture
def program(tmp_path):
    def made(*parts: dict[str, bytes]) -> bytes:
        return images.unified_kernel(tmp_path / "program", *parts).read_bytes()

    return made


def found(esp, root=None):
    return find_kernels(tree(root or {}), [tree(esp)], print)


def handed_over(kernel, tmp_path) -> bytes:
    (tmp_path / "out").mkdir()
    take_kernel(kernel, tmp_path / "out")
    return (tmp_path / "out/initrd").read_bytes()


def joined(*parts: bytes) -> bytes:
    data = b""
    for part in parts:
        data += (gap(len(data)) if data else b"") + part
    return data


def test_the_first_profile_is_booted_and_others_when_they_are_asked_for(program, tmp_path):
    esp = {"EFI/Linux/a.efi": program(KERNEL, {".profile": b"ID=usual\n"}, RESET)}

    kernels = found(esp)

    assert list(map(str, kernels)) == [
        "6.9 (EFI/Linux/a.efi)", "6.9@1 (EFI/Linux/a.efi)",
    ]  # fmt: skip
    assert choose_kernel(kernels, "").profile == choose_kernel(kernels, "6.9").profile == 0
    asked = choose_kernel(kernels, "6.9@1")
    assert (asked.version, b"".join(asked.content())) == ("6.9", b"kernel")
    assert handed_over(asked, tmp_path) == b"another"


def test_a_profiles_sections_take_the_place_of_the_base(program):
    esp = tree({"a": program(KERNEL, RESET | {".linux": b"its own"})})

    boots, missing = (unified.program(esp, "a", number) for number in (0, 1))

    assert boots is not None
    assert b"".join(boots.content(".linux")) == b"its own"
    assert b"".join(boots.content(".cmdline")) == b"reset"
    assert missing is None


def test_of_several_sections_of_a_name_the_first_counts(program, tmp_path):
    again = {".initrd": b"second", ".dtbauto": b"d", ".hwids": b"h"}

    (kernel,) = found({"EFI/Linux/a.efi": program(KERNEL, again, {".dtbauto": b"e"})})

    assert handed_over(kernel, tmp_path) == b"initrd"


def test_microcode_comes_first_and_what_addons_bring_last(program, tmp_path):
    esp = {
        "EFI/Linux/a+3-1.efi": program({".ucode": b"microcode"}, KERNEL),
        "loader/addons/z.addon.efi": program({".initrd": b"for all", ".ucode": b"all's"}),
        "EFI/Linux/a.efi.extra.d/1.addon.efi": program({".initrd": b"one"}),
        "EFI/Linux/a.efi.extra.d/2.ADDON.EFI": program({".initrd": b"two", ".ucode": b"two's"}),
        "EFI/Linux/a.efi.extra.d/other.addon.efi": program({".uname": b"5", ".initrd": b"no"}),
        "EFI/Linux/a.efi.extra.d/kernel.addon.efi": program(KERNEL),
        "EFI/Linux/a.efi.extra.d/broken.addon.efi": program({".initrd": b"no" * 5000})[:3000],
        "EFI/Linux/a.efi.extra.d/some.cred": b"no",
        "EFI/Linux/b.efi.extra.d/1.addon.efi": program({".initrd": b"no"}),
    }

    (kernel,) = found(esp)

    assert left_beside(kernel).startswith("left out: some.cred beside the unified kernel")
    assert handed_over(kernel, tmp_path) == joined(
        b"two's", b"all's", b"microcode", b"initrd", b"for all", b"one", b"two"
    )


def test_one_that_the_firmware_starts_itself_has_its_addons_too(program, tmp_path):
    esp = {
        "EFI/BOOT/BOOTX64.EFI": program(KERNEL),
        "EFI/BOOT/BOOTX64.EFI.extra.d/x.addon.efi": program({".initrd": b"own"}),
        "loader/addons/y.addon.efi": program({".initrd": b"for all"}),
    }

    (kernel,) = found(esp)

    assert handed_over(kernel, tmp_path) == joined(b"initrd", b"for all", b"own")


def test_its_version_is_its_kernels_own_where_it_does_not_say(program):
    header = bytearray(0x400)
    header[0x202:0x206], header[0x20E:0x210] = b"HdrS", (0x100).to_bytes(2, "little")
    header[0x300:0x30C] = b"6.8.1-own x\0"

    (kernel,) = found({"EFI/Linux/a.efi": program({".linux": bytes(header), ".initrd": b"i"})})

    assert kernel.version == "6.8.1-own"


def test_microcode_alone_is_no_initrd(program):
    (kernel,) = found({"EFI/Linux/a.efi": program({".linux": b"k", ".ucode": b"m"})})

    assert not kernel.has_initrd


@pytest.mark.parametrize("name", [".initrd", ".ucode", ".profile"])
def test_a_section_beyond_its_end_makes_it_no_kernel(name, program):
    whole = program(KERNEL, {name: b"x" * 5000})
    files = tree({"a": whole[:-4000]})

    with pytest.raises(ImageError, match="cut short"):
        unified.program(files, "a")
    assert found({"EFI/Linux/a.efi": whole[:-4000]}) == []
