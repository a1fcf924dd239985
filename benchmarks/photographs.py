"""Does batch selection help on photographs? D2ACE against uniform and balanced, a backbone from scratch on the CPU.

2,098 photographs of clothing with 58 labels, most of them rare; half of a ResNet-18's depth at 96 pixels. Every call
trains what is missing within the minutes given and writes ``docs/results/photographs.md`` from all that is there.
Needs the photographs beside the project.

Run: python benchmarks/photographs.py [--minutes M]
"""

import argparse
import tempfile
from pathlib import Path

from _common import PAGES, ROOT, add_machine, commit, left_out
from _photographs_page import MACHINES, TABLE, page

from d2ace.pipeline.data.from_images import prepare_images
from d2ace.pipeline.studies.compare import Study, compare

CCP = ROOT.parent / "shared" / "data" / "ccp"
PAGE = PAGES / "photographs.md"
EPOCHS = 20
NETWORK = {
    "name": "huggingface",
    "options": {
        "architecture": "resnet",
        "config": {
            "embedding_size": 32,
            "hidden_sizes": [32, 64, 128, 256],
            "depths": [1, 1, 1, 1],
            "layer_type": "basic",
        },
    },
}
SETTINGS = {
    "images": {"size": 96, "random_crop_scale": [0.35, 1.0], "flip": 0.5},
    "train": {"epochs": EPOCHS, "batch_size": 32, "monitor": "map"},
    "optimizer": {"name": "adamw", "lr": 1e-3, "weight_decay": 0.02, "schedule": "cosine", "warmup_epochs": 1},
    "data": {"split": "stratified", "test_fraction": 0.25, "validation_fraction": 0.1},
}


def main() -> None:
    """Parse, train what is missing, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run after that time")
    options = parser.parse_args()
    if not CCP.is_dir():
        left_out(f"the photographs are not here: {CCP}")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "photographs"
        prepare_images(
            CCP, data, format="image-csv", files="labels.csv", images="images", path_column="photo", quiet=True
        )
        compare(study(data), TABLE, minutes=options.minutes, commit=commit())
    add_machine(MACHINES)
    PAGE.write_text(page())
    print(f"written: {PAGE.relative_to(ROOT)}")


def study(data: Path) -> Study:
    """Return what is compared."""
    return Study.make(
        {
            "name": "photographs",
            "data": {"photographs": {"path": str(data)}},
            "networks": {"resnet": NETWORK},
            "methods": {
                "uniform": {"name": "uniform"},
                "balanced": {"name": "balanced"},
                "d2ace": {
                    "name": "d2ace",
                    "preset": "paper",
                    "options": {"warmup": 3},
                    "neighbour_features": "embeddings",
                },
            },
            "folds": None,
            "seeds": [0, 1, 2, 3],
            "config": SETTINGS,
        }
    )


if __name__ == "__main__":
    main()
