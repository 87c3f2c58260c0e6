"""What an image asks for beside its own bytes: taken where it may have it, refused by name."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from hostile.chains import (
    overlay,
    taken,
    vmdk_description,
    vmdk_in_disguise,
    vmdk_of,
    with_data_file,
)
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.gate.ask_qemu_img import QemuImg
from vmtiming_tui.images.gate.format_ledger import Ledger, entry_for
from vmtiming_tui.images.gate.nodes import apart, block_node
from vmtiming_tui.images.gate.permission import MAX_LAYERS, Layer, Rules, take
from vmtiming_tui.images.guard.opening import File, open_file

OTHERS = 65534  # nobody
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of others")


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder of images in a folder of its own, and a host's file elsewhere."""
    folder = tmp_path / "store" / "vms"
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_bytes(b"precious".ljust(1 << 20))
    return folder


@pytest.fixture
def secret(place) -> Path:
    return place.parent.parent / "elsewhere" / "secret"


def refusal(path: Path, **rules: object) -> str:
    with pytest.raises(ImageError) as caught:
        taken(path, **rules)
    return caught.value.message


# What it may have.


@pytest.mark.parametrize("name", ["../rootfs.img", "rootfs.img", "./rootfs.img", "ABSOLUTE"])
@pytest.mark.parametrize("form", ["raw", ""])
def test_the_originals_loop_works_without_a_flag(place, name, form):
    root = (place / name).resolve() if name != "ABSOLUTE" else place.parent / "rootfs.img"
    root.write_bytes(bytes(1 << 20))
    image = taken(overlay(place / "vm-0.img", str(root) if name == "ABSOLUTE" else name, form))

    assert [layer.format for layer in image.layers] == ["qcow2", "raw"]
    assert image.layers[1].file.path == str(root)


def test_a_backing_file_elsewhere_is_taken_where_the_user_allows_its_folder(place, secret):
    image = overlay(place / "vm-0.img", str(secret))

    assert "secret" in refusal(image)
    allowed = taken(image, allow_backing=(str(secret.parent),))
    assert allowed.layers[1].file.path == str(secret)


def test_an_overlay_made_here_boots_wherever_its_base_is(place, secret):
    path = overlay(place / "vm-0.img", str(secret))
    file, fd = open_file(str(path))
    os.close(fd)
    ledger = Ledger(known=[entry_for(file, "qcow2", backing=str(secret))])

    assert taken(path, ledger).layers[1].file.path == str(secret)
    overlay(path, str(secret.with_name("other")))
    with pytest.raises(ImageError):
        taken(path, ledger)


@AS_ROOT
def test_another_users_image_in_the_place_of_an_overlay_made_here_has_no_right_to_its_base(
    place, secret
):
    """Who deletes one and makes another often gets the same inode, and can choose its name."""
    image = overlay(place / "vm-0.img", str(secret))
    os.chown(image, OTHERS, OTHERS)
    file, fd = open_file(str(image))
    os.close(fd)
    ledger = Ledger(known=[entry_for(file, "qcow2", backing=str(secret))])

    with pytest.raises(ImageError, match="neither in its own folder"):
        taken(image, ledger)


def test_a_link_of_the_users_own_is_followed(place):
    (place / "debian.img").write_bytes(bytes(1 << 20))
    (place / "latest.img").symlink_to("debian.img")

    assert taken(place / "latest.img").layers[0].file.path == str(place / "debian.img")


def test_what_an_image_stands_on_is_found_beside_it_where_it_is_named_by_a_link_elsewhere(place):
    (place / "base.img").write_bytes(bytes(1 << 20))
    overlay(place / "vm-0.qcow2", "base.img")
    link = place.parent.parent / "elsewhere" / "link.qcow2"
    link.symlink_to(place / "vm-0.qcow2")

    assert taken(link).layers[1].file.path == str(place / "base.img")
    (link.parent / "base.img").write_bytes(bytes(512))
    assert taken(link).layers[1].file.path == str(link.parent / "base.img")


def test_an_overlay_that_is_wrong_about_what_it_stands_on_is_told_how_to_say_it(place):
    base = overlay(place / "base.img", "", "")
    top = overlay(place / "vm-0.img", "base.img", "raw")
    mend = f"qemu-img rebase -u -b {base} -F qcow2 {top}"

    (notice,) = taken(top).notices
    assert "begins like a qcow2, and is taken for raw" in notice
    assert notice.endswith(mend)
    base.write_bytes(bytes(1 << 20))
    assert taken(top).notices == ()
    with pytest.raises(ImageError) as caught:
        taken(overlay(top, "base.img", "qcow2"))
    assert caught.value.message.endswith(f"is no qcow2, as {str(top)!r} has it")
    assert caught.value.hint.endswith(mend.replace("-F qcow2", "-F raw"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("/srv/images/base.img", "'base.img' lies beside the image: say so: qemu-img rebase -u -b "
         "base.img -F FORMAT"),
        ("gone.img", "put it there, or say where it is: qemu-img rebase -u -b FILE -F FORMAT"),
    ],
)  # fmt: skip
def test_a_backing_file_that_is_not_there_is_named_with_the_command_that_helps(place, name, hint):
    (place / "base.img").write_bytes(bytes(512))
    image = overlay(place / "a disk", name)
    with pytest.raises(ImageError) as caught:
        taken(image)

    assert f"asks for the backing file {name!r}, which cannot be opened" in caught.value.message
    assert caught.value.hint == f"{hint} '{image}'"


def test_a_command_that_helps_names_any_image_in_one_word_and_steers_no_terminal(
    place, monkeypatch
):
    monkeypatch.chdir(place)
    (place / "flat").write_bytes(bytes(1 << 20))
    image = vmdk_description(place / "-x; \x1b[31m'rm'\n", "flat")
    with pytest.raises(ImageError) as caught:
        taken(image.name)

    assert caught.value.hint.isprintable()
    command = caught.value.hint.partition("qemu-img convert -O qcow2 ")[2].partition(",")[0]
    words = subprocess.check_output(["bash", "-c", f"printf '%s|' {command}"], text=True)
    assert words == f"./{image.name}|./{image.name}-whole.qcow2|"


@pytest.mark.parametrize("old", ["host_device", "file"])
def test_old_words_for_what_is_read_as_it_is_are_understood(place, old):
    (place / "base.img").write_bytes(bytes(1 << 20))

    assert taken(overlay(place / "vm-0.img", "base.img", old)).layers[1].format == "raw"


# What QEMU says, not the name.


@pytest.mark.parametrize(
    "form", ["vdi", "vhdx", "vpc", "parallels", "qed", "qcow", "vmdk", "qcow2"]
)
@pytest.mark.parametrize("name", ["image.raw", "image"])
def test_every_format_is_told_by_what_is_in_it(place, form, name):
    subprocess.run(["qemu-img", "create", "-q", "-f", form, place / name, "16M"], check=True)
    image = taken(place / name)

    assert image.format == form
    assert image.virtual_bytes >= 16 << 20


@pytest.mark.parametrize("head", [b"", bytes(512), b"\xeb\x58\x90mkfs.fat", b"QFI"])
def test_what_has_no_mark_is_raw(place, head):
    (place / "image.qcow2").write_bytes(head.ljust(4096, b"\1"))

    assert taken(place / "image.qcow2").format == "raw"


def test_the_users_word_on_the_format_counts(place, secret):
    path = overlay(place / "disk", str(secret))
    image = taken(path, format="raw")

    assert image.format == "raw"
    assert len(image.layers) == 1


# What it may not have.


@pytest.mark.parametrize(
    "name",
    [
        "nbd://127.0.0.1:10809/x", "nbd:unix:/run/s", "http://127.0.0.1/x", "ssh://h/x",
        'json:{"driver":"file","filename":"SECRET"}', "host_device:/dev/sda", "fat:rw:/etc",
        "file://SECRET", "blkdebug::SECRET", "a:b", "iscsi://h/t/0",
    ],
)  # fmt: skip
@pytest.mark.parametrize("maker", [overlay, with_data_file])
def test_a_driver_in_place_of_a_file_is_refused_by_its_name(place, secret, name, maker):
    name = name.replace("SECRET", str(secret))
    said = refusal(maker(place / "vm-0.img", name))

    assert repr(name) in said or name[:30] in said


@pytest.mark.parametrize("maker", [overlay, with_data_file])
@pytest.mark.parametrize("name", ["SECRET", "../../elsewhere/secret", "file:SECRET", "link"])
def test_a_file_elsewhere_is_refused_by_its_name(place, secret, name, maker):
    (place / "link").symlink_to(secret)
    name = name.replace("SECRET", str(secret))
    said = refusal(maker(place / "vm-0.img", name))

    assert name in said
    assert "neither in its own folder nor in the one above it" in said


def test_a_boot_from_a_vmdk_in_other_files_is_refused_with_the_commands_that_help(place):
    (place / "flat.vmdk").write_bytes(bytes(1 << 20))
    image = vmdk_description(place / "a disk.vmdk", "flat.vmdk")
    with pytest.raises(ImageError) as caught:
        taken(image)

    assert "data is in other files ('flat.vmdk')" in caught.value.message
    whole = place / "a disk-whole.qcow2"
    assert f"qemu-img convert -O qcow2 '{image}' '{whole}'"[:-1] in caught.value.hint.replace(
        "'-whole", "-whole"
    )
    assert f"vm-timing-report prepare '{image}'" in caught.value.hint


@pytest.mark.parametrize("in_parts", [True, False])
def test_extents_elsewhere_are_never_followed(place, secret, in_parts):
    said = refusal(vmdk_description(place / "vm-0.vmdk", str(secret)), in_parts=in_parts)

    assert f"asks for the extent {str(secret)!r}, which is neither in its own folder" in said


@pytest.mark.parametrize("in_parts", [True, False])
def test_a_sparse_vmdk_has_no_extents_whatever_it_describes(place, secret, in_parts):
    said = refusal(vmdk_in_disguise(place / "vm-0.vmdk", str(secret)), in_parts=in_parts)

    assert "it says no size of its own" in said


def test_flat_extents_are_taken_from_where_backing_files_would_be(place, secret):
    for name in ("../one", "two"):
        (place / name).write_bytes(bytes(1 << 20))
    lines = ('RW 1024 FLAT "../one" 512', "RW 2048 ZERO", 'RDONLY 2048 VMFS "two"',
             f'RW 8 FLAT "{secret}" 0')  # fmt: skip
    image = taken(vmdk_of(place / "vm-0.vmdk", *lines[:3]), in_parts=True)

    assert image.virtual_bytes == 5120 * 512
    assert [(part.file and part.file.path, part.offset, part.size) for part in
            image.layers[0].parts] == [
        (str(place.parent / "one"), 512 * 512, 1024 * 512), (None, 0, 2048 * 512),
        (str(place / "two"), 0, 2048 * 512),
    ]  # fmt: skip
    foreign = vmdk_of(place / "vm-1.vmdk", *lines)
    assert f"the extent {str(secret)!r}, which is neither in" in refusal(foreign, in_parts=True)
    allowed = taken(foreign, in_parts=True, allow_backing=(str(secret.parent),))
    assert allowed.layers[0].parts[3].file.path == str(secret)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('RW 2048 FLAT "nbd://127.0.0.1/x" 0', "which is no file's name"),
        ('RW 2048 FLAT "link" 0', "neither in its own folder"),
        ('RW 2048 FLAT "gone" 0', "cannot be opened"),
        ('RW 2048 FLAT "pipe" 0', "a named pipe"),
        ('RW 2048 FLAT "vm-0.vmdk" 0', "its own backing file"),
        ('RW 2049 FLAT "flat" 0', "the extent 'flat' of"),
        ('RW 8 FLAT "flat" 2048', "is cut short"),
        ('RW 8 FLAT "flat" 99999999999999999999', "is cut short"),
        ("RW 99999999999999999999 ZERO", "TiB is the most"),
        ('RW 2048 SPARSE "flat"', "what should be sparse is not"),
        ('NOACCESS 2048 FLAT "flat" 0', "kind that is not taken ('flat', FLAT)"),
        ("RW 2048 FLAT", "kind that is not taken ('FLAT', FLAT)"),
        ('RW 2048 VMFSRDM "/dev/sda"', "kind that is not taken ('/dev/sda', VMFSRDM)"),
        ('RW 2048 SESPARSE "flat"', "kind that is not taken ('flat', SESPARSE)"),
        ('RW 2048 FLAT "flat" 0\nparentFileNameHint="flat"', "kind that is not taken ('flat', FL"),
        ("no extent at all", "0 extents"),
    ],
)
def test_extents_that_cannot_be_had_are_refused(place, secret, line, words):
    (place / "flat").write_bytes(bytes(1 << 20))
    (place / "link").symlink_to(secret)
    os.mkfifo(place / "pipe")

    assert words in refusal(vmdk_of(place / "vm-0.vmdk", line), in_parts=True)


def test_a_boot_from_what_stands_on_a_vmdk_in_other_files_is_refused_by_its_name(place):
    (place / "flat").write_bytes(bytes(1 << 20))
    vmdk_description(place / "base", "flat")
    top = overlay(place / "vm-0.img", "base", "vmdk")
    with pytest.raises(ImageError) as caught:
        taken(top)

    assert f"{str(place / 'base')!r} is a VMDK whose data is in other files" in caught.value.message
    assert f"qemu-img convert -O qcow2 {top} {place}/vm-0-whole.qcow2" in caught.value.hint
    assert [layer.format for layer in taken(top, in_parts=True).layers] == ["qcow2", "vmdk"]


@AS_ROOT
def test_another_users_vmdk_gets_no_extent_that_they_could_not_read(place):
    (place / "flat").write_bytes(bytes(1 << 20))
    (place / "flat").chmod(0o600)
    image = vmdk_description(place / "vm-0.vmdk", "flat")
    os.chown(image, OTHERS, OTHERS)

    assert f"user {OTHERS}, who owns the image" in refusal(image, in_parts=True)


def test_a_layer_below_has_no_more_rights_than_the_image_above(place, secret):
    """Each step up would else lead one folder further."""
    top = place.parent.parent
    (top / "disk").write_bytes(bytes(512))
    overlay(place.parent / "middle", "../disk", "raw")

    assert "../disk" in refusal(overlay(place / "vm-0.img", "../middle", "qcow2"))


@pytest.mark.parametrize("first", ["vm-0.img", "other"])
def test_a_chain_that_bites_its_tail_is_refused(place, first):
    overlay(place / "other", "vm-0.img", "qcow2")

    assert "its own backing file" in refusal(overlay(place / "vm-0.img", first, "qcow2"))


def test_a_chain_without_end_is_refused(place):
    for number in range(MAX_LAYERS + 5):
        overlay(place / f"layer-{number}", f"layer-{number + 1}", "qcow2")

    assert f"more than {MAX_LAYERS - 1} backing files" in refusal(place / "layer-0")


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device", "link to a pipe"])
@pytest.mark.parametrize("asked", [True, False])
def test_what_is_no_file_is_refused_at_once(place, kind, asked):
    path = place / "thing"
    match kind:
        case "pipe" | "link to a pipe":
            os.mkfifo(path)
            if kind != "pipe":
                (place / "link").symlink_to("thing")
                path = place / "link"
        case "socket":
            os.mknod(path, stat.S_IFSOCK | 0o600)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
    named = overlay(place / "vm-0.img", path.name) if asked else path

    said = refusal(named)
    words = {"pipe": "a named pipe", "socket": "a socket", "folder": "a folder"}
    assert words.get(kind, "a named pipe" if "pipe" in kind else "a character device") in said


@AS_ROOT
def test_another_users_link_to_what_is_not_theirs_is_refused(place, secret):
    (place / "disk.img").symlink_to(secret)
    os.lchown(place / "disk.img", OTHERS, OTHERS)

    assert f"symbolic link of user {OTHERS}'s" in refusal(place / "disk.img")


@AS_ROOT
def test_another_users_link_in_the_middle_of_a_path_is_refused_too(place, secret):
    (place / "vms").symlink_to(secret.parent)
    os.lchown(place / "vms", OTHERS, OTHERS)

    assert "which is not theirs" in refusal(place / "vms" / "secret")
    os.chown(secret, OTHERS, OTHERS)
    assert taken(place / "vms" / "secret").format == "raw"


@AS_ROOT
def test_another_users_image_gets_no_file_that_they_could_not_read(place):
    key = place / "key"
    key.write_bytes(bytes(512))
    key.chmod(0o600)
    image = overlay(place / "vm-0.img", "key")
    os.chown(image, OTHERS, OTHERS)

    assert f"user {OTHERS}, who owns the image" in refusal(image)
    key.chmod(0o644)
    assert len(taken(image).layers) == 2
    data = with_data_file(place / "vm-1.img", "key")
    os.chown(data, OTHERS, OTHERS)
    assert f"user {OTHERS}, who owns the image" in refusal(data, writable=True)


# Damaged, encrypted, absurd.


def test_an_encrypted_image_is_said_to_be_one(place):
    subprocess.run(
        ["qemu-img", "create", "-q", "--object", "secret,id=s,data=x", "-f", "qcow2", "-o",
         "encrypt.format=aes,encrypt.key-secret=s", place / "qcow2", "1M"],
        check=True, capture_output=True,
    )  # fmt: skip
    # On a busy host qemu-img makes no LUKS: it measures how fast keys are made, and gives up.
    (place / "luks").write_bytes(b"LUKS\xba\xbe\x00\x01".ljust(1 << 20, b"\0"))

    for form in ("qcow2", "luks"):
        assert refusal(place / form).endswith("is encrypted")


@pytest.mark.parametrize("size", [17 << 40, 64 << 40, (1 << 64) - 512])
def test_an_absurd_size_is_refused(place, size):
    assert "TiB is the most" in refusal(overlay(place / "vm-0.img", "", "", size))
    with (place / "sparse").open("wb") as file:
        file.truncate(min(size, 15 << 40))
    assert taken(place / "sparse").virtual_bytes == min(size, 15 << 40)


@pytest.mark.parametrize(
    ("at", "value"),
    [(8, b"\xff" * 8), (16, b"\xff\xff\xff\xff"), (20, b"\0\0\0\x40"), (100, b"\xff\xff\xff\xff"),
     (72, b"\xff" * 8), (104, b"\x44\x41\x54\x41\xff\xff\xff\xff"), (4, b"\0\0\0\x09")],
)  # fmt: skip
def test_a_damaged_header_is_refused_in_words_or_read_as_it_stands(place, at, value):
    path = overlay(place / "vm-0.img", "base")
    (place / "base").write_bytes(bytes(512))
    raw = bytearray(path.read_bytes())
    raw[at : at + len(value)] = value
    path.write_bytes(raw)
    try:
        image = taken(path)
    except ImageError as error:
        assert "vm-0.img" in error.message
    else:
        assert {layer.file.folder for layer in image.layers} == {str(place)}


@pytest.mark.parametrize("cut", [0, 3, 8, 72, 103, 512])
def test_an_image_cut_short_ends_in_words(place, cut):
    path = overlay(place / "vm-0.img", "base")
    path.write_bytes(path.read_bytes()[:cut])
    try:
        assert taken(path).format == "raw"
    except ImageError as error:
        assert "vm-0.img" in error.message


def test_nothing_in_a_name_reaches_a_terminal(place):
    said = refusal(overlay(place / "vm-0.img", "\x1b]0;owned\x07../\x1b[31mx"))

    assert "\x1b" not in said
    assert "\\x1b]0;owned" in said


# Both together: QEMU itself, told what was decided, opens no other file.


def test_qemu_follows_no_header_once_it_is_told_of_no_backing_file(place, secret):
    path = overlay(place / "vm-0.img", str(secret))
    node = {"driver": "raw", "file": {"driver": "file", "filename": str(path)}}
    told = subprocess.run(
        ["qemu-img", "info", "--output=json", f"json:{json.dumps(node)}"],
        check=True, capture_output=True,
    )  # fmt: skip

    assert taken(path, format="raw").virtual_bytes == json.loads(told.stdout)["virtual-size"]


@pytest.mark.parametrize("name", ["base", "ABSOLUTE"])
@pytest.mark.parametrize("form", ["raw", "vdi"])
def test_the_first_sectors_are_read_through_the_chain_that_was_let_in(place, form, name):
    """Whatever the header's own name for its backing file is."""
    (place / "disk").write_bytes(b"first sectors".ljust(1 << 20, b"\1"))
    subprocess.run(["qemu-img", "convert", "-O", form, place / "disk", place / "base"], check=True)
    named = name if name == "base" else str(place / "base")
    image = overlay(place / "vm-0.img", named, form)
    ask = QemuImg()
    with take(str(image), Rules(), Ledger(), ask) as found:
        assert ask.head(found).startswith(b"first sectors")


def test_the_longest_chain_that_is_let_in_is_one_that_qemu_opens(place):
    """Its nodes have names of their own, which QEMU takes up to 31 characters of."""
    (place / f"layer-{MAX_LAYERS - 1}").write_bytes(b"first sectors".ljust(1 << 20, b"\1"))
    for number in range(MAX_LAYERS - 1):
        form = "raw" if number == MAX_LAYERS - 2 else "qcow2"
        overlay(place / f"layer-{number}", f"layer-{number + 1}", form)
    ask = QemuImg()

    with take(str(place / "layer-0"), Rules(), Ledger(), ask) as found:
        assert len(found.image.layers) == MAX_LAYERS
        assert ask.head(found).startswith(b"first sectors")


@pytest.mark.parametrize("top", ["root", "root-image", "image"])
def test_no_node_of_a_chain_has_a_name_too_long_or_anothers(place, top):
    disk = place / "disk"
    disk.write_bytes(bytes(512))
    file, fd = open_file(str(disk))
    os.close(fd)
    layers = [Layer(file=file, format="qcow2", data=file)] * MAX_LAYERS

    def protocol(_file: File, _writable: bool) -> dict[str, object]:
        return {"driver": "file"}

    names = [node["node-name"] for node in apart(block_node(layers, protocol, name=top,
                                                            writable=False))]  # fmt: skip
    assert len(set(names)) == len(names) == 3 * MAX_LAYERS
    assert max(map(len, map(str, names))) <= 31
