"""Where things are in an image: kernels' modules, and what a path of a boot loader's leads to."""

from pathlib import PurePosixPath

from vmtiming_tui.images.files.tree import FileKind, Found, Tree

MODULE_FOLDERS = ("usr/lib/modules", "lib/modules")


def joined(folder: str, name: str) -> str:
    """Return the path of a name in a folder; either may be empty."""
    return "/".join(filter(None, (folder, name.strip("/"))))


def located(root: Tree, tree: Tree, path: str) -> tuple[Tree, Found] | None:
    """Return where a path leads; a link out of a boot partition leads into the root.

    None where no file is there.
    """
    found = tree.find(path)
    if found is None and tree is not root:
        link = tree.find(path, follow=False)
        if link is not None and link.node.kind is FileKind.LINK:
            target = tree.files.target(link.node).decode(errors="surrogateescape")
            above = PurePosixPath("boot", path).parent
            tree, found = root, root.find(str(above / target))
    if found is None or found.node.kind is not FileKind.FILE:
        return None
    return tree, found
