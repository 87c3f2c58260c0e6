"""Images that are prepared, and refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.fault import Fault
from faults.running import in_words
from faults.scene import How, Scene
from support.spinning import digest
from support.traces import nothing_left


def of(make: Callable[[Path, Path], object], *options: str) -> How:
    """Have an image prepared that is made of nothing, with a folder to work in."""

    @contextmanager
    def how(scene: Scene) -> Iterator[None]:
        folder = scene.folder / "making"
        folder.mkdir()
        image = scene.folder / "image"
        make(image, folder)
        before = digest(image)
        scene.words += ["image", *options]
        yield
        assert digest(image) == before

    return how


def refused(fault: Fault[How], scene: Scene) -> None:
    """Prepare the image; it is refused in these words, and nothing is left."""
    with nothing_left(scene.lab.runtime, *scene.images), fault.how(scene):
        scene.ended = scene.tool.run("prepare", "--out", "o", *scene.words)

        assert in_words(scene.ended.code) == fault.ends, scene.said
        assert fault.words in " ".join(scene.said.split())
        scene.makes_no_noise()
    assert not (scene.folder / "o").exists()
