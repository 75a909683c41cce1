"""Run the examples, and keep what they draw and print for the site.

``python docs/draw_gallery.py --data FOLDER`` makes all anew; names of examples choose some. The
folder holds those of MNIST and Fashion-MNIST, ``mnist`` and ``fashion_mnist``; without it these two
are left as they are.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from gallery_pages import EXAMPLES, PAGES, SECTIONS
from PIL import Image

# Beyond the defaults, where these show less.
ARGUMENTS = {"penguins_pipeline": ["--epochs", "40"], "penguins_grid_search": ["--compare"]}
IMAGES = {"mnist_digits": "mnist", "fashion_mnist": "fashion_mnist"}
PICTURES = {"fashion_mnist": "fashion_mnist_history.png"}


def draw(name: str, arguments: list[str]) -> None:
    """Run one example in a folder of its own, and keep its lines and its picture."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
        environment = os.environ | {"MPLBACKEND": "agg"}
        done = subprocess.run(  # noqa: S603 - our own script
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        (PAGES / f"{name}.txt").write_text(done.stdout.replace(folder, "."))
        picture = Path(folder, PICTURES.get(name, f"{name}.png"))
        if picture.exists():
            # A palette takes a third of the room.
            Image.open(picture).convert("RGB").quantize(128).save(PAGES / f"{name}.png")
    print(f"{name}: {' '.join(arguments)}")


def main() -> None:
    """Run those asked for."""
    every = [name for names in SECTIONS.values() for name in names]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(every)}")
    parser.add_argument("--data", type=Path, help="folder of mnist/ and fashion_mnist/")
    options = parser.parse_args()
    for name in options.names or every:
        arguments = ARGUMENTS.get(name, [])
        if name in IMAGES:
            if options.data is None:
                continue
            arguments = [*arguments, "--data", str(options.data.resolve() / IMAGES[name])]
        draw(name, arguments)


if __name__ == "__main__":
    main()
