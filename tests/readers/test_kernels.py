"""Which kernels an image has, and which is taken."""

import itertools
import subprocess

import pytest

from readers.memory import Hollow, Link, Memory, tree
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.system.kernel.kernels import choose_kernel, find_kernels
from vmtiming_tui.images.system.kernel.taking import take_kernel
from vmtiming_tui.images.system.loader.entries import parsed
from vmtiming_tui.images.system.versions import version_key


def found(files, others=()):
    return find_kernels(tree(files), [tree(other) for other in others], print)


def both(version: str, folder: str = "boot") -> dict[str, bytes]:
    return {
        f"{folder}/vmlinuz-{version}": f"kernel {version}".encode(),
        f"{folder}/initrd.img-{version}": f"initrd {version}".encode(),
    }


VERSIONS = (
    "5.14.0-70.el9.x86_64", "5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64",
    "6.1.0-9-amd64", "6.1.0-56-amd64", "6.8.12", "6.9.0-rc3", "6.9.0", "6.9.9-arch1",
    "6.10.1-arch1", "6.10.1-arch1-1", "6.11.0-0.rc1.fc42", "6.11.0-100.fc42",
)  # fmt: skip


def test_versions_are_in_the_order_that_sort_has_them_in():
    keys = "".join(f"{_sorted_by(version)}\t{version}\n" for version in VERSIONS)
    told = subprocess.check_output(
        ["sort", "-t", "\t", "-k1,1V"], input=keys, text=True, env={"LC_ALL": "C"}
    )

    assert [line.split("\t")[1] for line in told.splitlines()] == list(VERSIONS)
    for permuted in itertools.islice(itertools.permutations(VERSIONS), 0, 10**6, 99_991):
        assert tuple(sorted(permuted, key=version_key)) == VERSIONS


def _sorted_by(version: str) -> str:
    return images.sh("sed", "-e", r"s/\.\([a-z]\)/~\1/g", "-e", "s/-rc/~rc/g", text=version)


def test_a_number_of_any_length_is_compared():
    assert version_key("6." + "9" * 200) > version_key("6.1")


def test_the_newest_that_has_an_initrd_and_is_no_rescue_kernel_is_taken():
    files = both("6.1.0-9") | both("6.1.0-56") | both("7-rescue") | {"boot/vmlinuz-6.2": b"k"}

    kernels = found(files)

    assert choose_kernel(kernels, "").version == "6.1.0-56"
    assert choose_kernel(kernels, "7-rescue").path == "boot/vmlinuz-7-rescue"
    with pytest.raises(ImageError, match=r"there is no kernel 6\.2 with an initrd") as refused:
        choose_kernel(kernels, "6.2")
    assert "6.2 (boot/vmlinuz-6.2, without an initrd)" in refused.value.message
    assert "7-rescue (boot/vmlinuz-7-rescue, rescue)" in refused.value.message


def test_no_kernel_at_all():
    with pytest.raises(ImageError, match="has no kernel"):
        choose_kernel(found({}), "")


def test_what_lies_beside_kernels_is_none():
    others = ("vmlinuz-1.old", "vmlinuz-1.hmac", "vmlinuz-1.signed", "System.map-1", "config-1")

    assert found({f"boot/{name}": b"" for name in others}) == []


def test_a_kernel_without_a_version_counts_where_it_is_the_only_one():
    alone = {"boot/vmlinuz": b"k", "boot/initrd.img": b"i"}

    assert [kernel.version for kernel in found(alone)] == ["unversioned"]
    assert [kernel.version for kernel in found(alone | both("6.1"))] == ["6.1"]


def test_an_entry_says_what_it_boots():
    entry = parsed(
        "tiny",
        b"# c\ntitle\tTiny 1\r\nversion 6.9\nlinux   /t/linux x\ninitrd /a b $tuned\ninitrd c\n",
    )

    assert (entry.title, entry.version, entry.linux) == ("Tiny 1", "6.9", "/t/linux")
    assert entry.initrds == ("a", "b", "c")


def test_a_later_place_does_not_take_a_kernel_again():
    files = both("6.1") | {
        "boot/loader/entries/a.conf": b"linux /boot/vmlinuz-6.1\nversion 6.1-entry\n"
        b"initrd /boot/initrd.img-6.1\n"
    }

    assert [kernel.version for kernel in found(files)] == ["6.1-entry"]


def unified_kernel(tmp_path, sections: dict[str, bytes]) -> bytes:
    return images.unified_kernel(tmp_path / "uki", sections).read_bytes()


def test_a_unified_kernel_is_taken_apart(tmp_path):
    program = unified_kernel(
        tmp_path, {".uname": b"6.9\n", ".linux": b"kernel" * 999, ".initrd": b"initrd" * 99}
    )
    loader = unified_kernel(tmp_path, {".text": b"boots others"})
    esp = {"EFI/Linux/tiny.efi": program, "EFI/Linux/loader.efi": loader}
    (tmp_path / "out").mkdir()

    (kernel,) = found({}, [esp])
    take_kernel(kernel, tmp_path / "out")

    assert str(kernel) == "6.9 (EFI/Linux/tiny.efi)"
    assert (tmp_path / "out/vmlinuz").read_bytes() == b"kernel" * 999
    assert (tmp_path / "out/initrd").read_bytes() == b"initrd" * 99


def test_a_unified_kernel_that_is_cut_short_is_none(tmp_path):
    program = unified_kernel(tmp_path, {".linux": b"kernel" * 999})

    assert found({}, [{"EFI/Linux/tiny.efi": program[:3000]}]) == []


def test_several_initrds_are_handed_over_one_after_another(tmp_path):
    entry = b"linux /linux\ninitrd /one\ninitrd /two\n"
    (kernel,) = found({}, [{"loader/entries/a.conf": entry, "linux": b"k", "one": b"12345",
                            "two": b"6"}])  # fmt: skip

    take_kernel(kernel, tmp_path)

    assert (tmp_path / "initrd").read_bytes() == b"12345" + bytes(7) + b"6"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"linux": b"k"}, "the initrd one of kernel a is named but not there"),
        ({"linux": b"", "one": b"i"}, "the kernel a or its initrd is empty"),
        ({"linux": Hollow(1 << 40), "one": b"i"}, "larger"),
        ({"linux": b"k", "one": Link(b"one")}, "named but not there"),
    ],
)
def test_what_cannot_be_taken_is_refused(files, words, tmp_path):
    entry = {"loader/entries/a.conf": b"linux /linux\ninitrd /one\n"}
    (kernel,) = found({}, [entry | files])

    with pytest.raises(ImageError, match=words):
        take_kernel(kernel, tmp_path)


class Damaged(Memory):
    """Files whose folders cannot be read."""

    def entries(self, folder):
        raise ImageError("a damaged folder")


def test_a_fault_of_one_disk_hides_no_kernel_of_another():
    said: list[str] = []

    kernels = find_kernels(tree(both("6.1")), [Tree(Damaged({}), "partition 3")], said.append)

    assert [kernel.version for kernel in kernels] == ["6.1"]
    assert said == ["a damaged folder: partition 3 is not searched for kernels any further"]
