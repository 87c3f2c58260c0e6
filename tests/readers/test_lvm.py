"""Linear volumes are read where they lie; of the others it is told what they take."""

import pytest

from hostile import forged
from readers.lab import on_host, opened, volumes_of, walked
from support import disk_images as images
from support.disk_images import EXTENT, MIB, Logical, Piece
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.disk.lvm import read_group
from vmtiming_tui.images.disk.volumes import find_volumes, open_files


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return images.make_tree(tmp_path_factory.mktemp("readers") / "tree")


def disk(path, text, **forged_as):
    return forged.physical_volume(forged.hollow(path, 64 * MIB), text, **forged_as)


def test_a_volume_in_pieces_reads_as_one(tree, tmp_path):
    image = tmp_path / "disk.img"
    images.volume_group([image], 18)
    content = images.ext4(tmp_path / "root.fs", tree, 64)
    images.volume_in_pieces([image], content, [Piece(image, 9, 8), Piece(image, 0, 8)])
    said: list[str] = []

    with opened(image) as stretch:
        physical, logical = find_volumes(stretch, said.append)
        files = open_files(logical)
        assert files is not None
        assert walked(files) == on_host(tree)

    assert (physical.type, logical.name, logical.type) == ("LVM2_member", "vg-tiny/root", "ext4")
    assert (logical.uuid, logical.label) == (images.ROOT_UUID, "tiny")
    assert said == ["putting the pieces of vg-tiny/root together"]


def test_its_group_is_what_lvm2_wrote(tmp_path):
    image = tmp_path / "disk.img"
    images.volume_group([image], 10)
    images.logical_volumes(
        [image],
        [
            Logical("root", images.plain_segment(3), 2),
            Logical("hidden", images.plain_segment(6), visible=False),
        ],
    )

    with opened(image) as stretch:
        group = read_group(stretch)

    assert group is not None
    assert (group.name, group.extent_bytes) == ("vg-tiny", EXTENT)
    assert list(group.data_starts.values()) == [MIB]
    root, hidden = group.volumes
    assert (root.name, root.visible, root.kind, root.extents) == ("root", True, "", 2)
    assert root.segments[0].places == ((next(iter(group.data_starts)), 3),)
    assert not hidden.visible


def test_a_disk_without_a_group_has_no_volumes(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 40 * MIB)
    with images._devices([image]) as (lvm, devices):
        lvm("pvcreate", *devices.values())

    volumes, said = volumes_of(image)

    assert [volume.type for volume in volumes] == ["LVM2_member"]
    assert said == []


@pytest.mark.parametrize("kind", ["thin", "raid1", "cache", "vdo", "snapshot"])
@pytest.mark.parametrize("flag", ["", "+METADATA_FORMAT"])
def test_what_takes_the_device_mapper_is_told_with_what_it_takes(kind, flag, tmp_path):
    text = forged.lvm_text(segments=[f'extent_count = 2\ntype = "{kind}{flag}"'])

    volumes, said = volumes_of(disk(tmp_path / "disk.img", text))

    assert (volumes[1].name, volumes[1].type, volumes[1].stretch) == (
        "vg/root",
        f"LVM-{kind}",
        None,
    )
    assert volumes[1].size == 2 * MIB
    assert volumes[1].assembly is not None
    assert volumes[1].assembly.kinds == {kind}
    assert volumes[1].disks == (volumes[0].stretch,)
    assert said == []


def test_a_volume_takes_the_kinds_and_the_disks_of_all_it_stands_on(tmp_path):
    disks = [tmp_path / "0.pv", tmp_path / "1.pv"]
    images.volume_group(disks, 10)
    thin = 'type = "thin"\nthin_pool = "pool"\ntransaction_id = 0\ndevice_id = 1'
    pool = (
        'type = "thin-pool"\nmetadata = "pool_tmeta"\npool = "pool_tdata"\ntransaction_id = 1\n'
        "chunk_size = 128\nzero_new_blocks = 1"
    )
    striped = (
        'type = "striped"\nstripe_count = 2\nstripe_size = 128\nstripes = ["pv0", 2, "pv1", 2]'
    )
    images.logical_volumes(disks, [
        Logical("root", thin), Logical("pool", pool),
        Logical("pool_tmeta", images.plain_segment(0), visible=False),
        Logical("pool_tdata", striped, visible=False),
    ])  # fmt: skip
    whole = images.disk(
        tmp_path / "disk.img", "gpt", [images.Partition("lvm", disk) for disk in disks]
    )

    *parts, root = volumes_of(whole)[0]
    assert root.assembly is not None
    assert root.assembly.kinds == {"thin", "thin-pool", "striped"}
    assert root.disks == tuple(part.stretch for part in parts)
    [_, alone], [said] = volumes_of(disks[0])
    assert (alone.type, alone.disks) == ("LVM-incomplete", ())
    assert "vg-tiny/root is left out: a part of it is on a disk that is not in this image" in said


@pytest.mark.parametrize("kind", ["thin-pool", "cache-pool"])
def test_a_pool_itself_is_not_spoken_of(kind, tmp_path):
    text = forged.lvm_text(segments=[f'extent_count = 2\ntype = "{kind}"'])

    volumes, said = volumes_of(disk(tmp_path / "disk.img", text))

    assert (len(volumes), said) == (1, [])


def test_text_that_goes_over_the_end_of_its_area_goes_on_behind_the_header(tmp_path):
    volumes, _ = volumes_of(disk(tmp_path / "disk.img", forged.lvm_text(), wrap_at=100))

    assert [volume.name for volume in volumes] == ["the whole image", "vg/root"]


def test_of_two_disks_of_a_group_the_newer_text_counts(tmp_path):
    other = "bbbbbb-bbbb-cccc-dddd-eeee-ffff-gggggg"
    old = forged.lvm_text(generation=3, volume="old")
    new = forged.lvm_text(generation=4, volume="new")
    parts = [
        disk(tmp_path / "one.pv", new),
        disk(tmp_path / "two.pv", old, disk_id=other),
    ]
    image = images.disk(
        tmp_path / "disk.img", "gpt", [images.Partition("lvm", part) for part in parts]
    )

    volumes, _ = volumes_of(image)

    assert [volume.name for volume in volumes][2:] == ["vg/new"]


def test_metadata_with_a_wrong_checksum_is_refused_by_the_name_of_its_volume(tmp_path):
    image = disk(tmp_path / "disk.img", forged.lvm_text())
    forged.poke(image, 4096 + 512 + 20, b"#")

    with pytest.raises(
        ImageError, match="LVM metadata of the whole image cannot be read: its metadata"
    ):
        volumes_of(image)
