"""See the package's docstring."""

from __future__ import annotations

import json
import sys

from playwright.sync_api import Error, sync_playwright

from emtests.demo.browser import (
    access,
    breaking,
    console,
    examples,
    heap_map,
    lasting,
    offline,
    picture,
    plain,
    returning,
    sharing,
    spectrum,
    structure,
    structures,
)
from emtests.demo.browser.visit import Visit

PANELS = {
    "access": access.drive,
    "breaking": breaking.drive,
    "console": console.drive,
    "examples": examples.drive,
    "lasting": lasting.drive,
    "map": heap_map.drive,
    "offline": offline.drive,
    "picture": picture.drive,
    "plain": plain.drive,
    "returning": returning.drive,
    "sharing": sharing.drive,
    "spectrum": spectrum.drive,
    "structure": structure.drive,
    "structures": structures.drive,
}
# A stand-in for camera and microphone, and a person who allows both.
MEDIA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


def main(panel: str, browser: str, address: str, folder: str) -> None:
    with sync_playwright() as playwright:
        # Containers are often root's, with a /dev/shm too small for a browser.
        flags = ["--no-sandbox", "--disable-dev-shm-usage", *MEDIA]
        chromium = playwright.chromium.launch(executable_path=browser, args=flags)
        visit = Visit(chromium, browser, flags, address, folder)
        try:
            PANELS[panel](visit)
        except (Error, AssertionError) as error:
            visit.seen["failure"] = str(error)
        finally:
            chromium.close()
    print(json.dumps(visit.seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
