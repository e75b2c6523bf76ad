// Drives the page in Chromium as a person would, and prints what it saw as JSON.
//
//   node drive_page.mjs PLAYWRIGHT CHROMIUM ADDRESS PICTURE NO_PICTURE LARGE_PICTURE FOLDER
//
// PLAYWRIGHT is the folder of playwright-core. It asserts nothing: the test does.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [playwright, executablePath, address, picture, noPicture, largePicture, folder] =
  process.argv.slice(2);
const { chromium } = await import(pathToFileURL(join(playwright, "index.mjs")).href);

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const seen = { requests: [], complaints: [], states: {} };
try {
  const page = await browser.newPage({ acceptDownloads: true });
  page.context().on("request", (request) => seen.requests.push(request.url()));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.complaints.push(message.text());
  });
  page.on("pageerror", (error) => seen.complaints.push(String(error)));

  const filter = (name) => page.getByRole("checkbox", { name });

  await page.goto(address);
  await note("start", "original → sepia");
  seen.isolated = await page.evaluate(() => crossOriginIsolated);
  seen.runtime = await page.locator("#runtime").textContent();

  await page.locator("label", { hasText: "mirror" }).click();
  await note("mirror", "original → sepia → mirror");

  // With the keyboard alone: from the first filter on, one tab at a time.
  await filter("grayscale").focus();
  for (let i = 0; i < 2; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  await note("keyboard", "original → sepia → mirror → invert");

  await filter("sepia").uncheck();
  await note("unchecked", "original → mirror → invert");

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as PNG" }).click();
  await (await download).saveAs(join(folder, "saved.png"));

  await page.getByRole("button", { name: "Reset" }).click();
  await note("reset", "original");

  await filter("blur").check();
  await page.getByLabel("Choose a picture", { exact: true }).setInputFiles(picture);
  await note("chosen", "chosen.png, 33 × 21: original → blur");

  await page.getByLabel("Choose a picture", { exact: true }).setInputFiles(noPicture);
  await page.getByRole("alert").waitFor({ state: "visible" });
  seen.refusal = await page.getByRole("alert").textContent();
  await note("refused", "original → blur");

  await filter("blur").uncheck();
  await note("after", "original");
  seen.alertHidden = await page.getByRole("alert").isHidden();

  await drop(largePicture);
  await note("dropped", "dropped.png (scaled down from 3200 × 20), 1600 × 10: original");

  seen.broken = {};
  for (const [file, status] of [["pyodide.asm.wasm", 404], ["pyodide.asm.wasm", 200], ["site.json", 500]]) {
    const broken = await browser.newPage();
    const headers = { "Content-Type": "application/wasm" };
    await broken.route(`**/${file}`, (route) => route.fulfill({ status, headers, body: "nothing" }));
    await broken.goto(address);
    await broken.getByRole("alert").waitFor({ state: "visible" });
    seen.broken[`${file} ${status}`] = await broken.getByRole("alert").textContent();
    await broken.close();
  }

  /** Wait until the caption ends so, and keep what the page shows then. */
  async function note(name, caption) {
    await page.waitForFunction(
      (ending) => document.getElementById("caption").textContent.endsWith(ending),
      caption,
    );
    seen.states[name] = {
      pixels: await pixels(),
      ...(await page.evaluate(() => {
        const text = (id) => document.getElementById(id).textContent;
        return {
          caption: text("caption"),
          label: document.getElementById("canvas").getAttribute("aria-label"),
          blocks: text("blocks"),
          bytes: text("bytes"),
          times: [...document.querySelectorAll("#times tr")].map((row) => row.cells[0].textContent),
          checked: [...document.querySelectorAll("#chips :checked")].map((box) => box.name),
          stillLoading: !document.getElementById("loading").hidden,
        };
      })),
    };
  }

  /** The SHA-256 of what the canvas shows, once it shows the same twice: frames arrive when they do. */
  async function pixels() {
    let last, now;
    do {
      last = now;
      const bytes = await page.evaluate(async () => {
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        const canvas = document.getElementById("canvas");
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
        copy.drawImage(canvas, 0, 0);
        return [...copy.getImageData(0, 0, canvas.width, canvas.height).data];
      });
      now = createHash("sha256").update(Uint8Array.from(bytes)).digest("hex");
    } while (now !== last);
    return now;
  }

  async function drop(file) {
    const transfer = await page.evaluateHandle(
      ([base64, name]) => {
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], name, { type: "image/png" }));
        return data;
      },
      [readFileSync(file).toString("base64"), "dropped.png"],
    );
    await page.dispatchEvent("main", "drop", { dataTransfer: transfer });
  }
} catch (error) {
  seen.failure = String(error);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
