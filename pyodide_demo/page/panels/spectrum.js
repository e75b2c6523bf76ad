// The panel of the spectrogram: which sound it is, and what was read of it.

import { element, make, number, showError } from "../dom.js";
import { microphone, soundFile } from "../sounds.js";
import { RateMeter } from "../rate_meter.js";

const COLUMNS_A_SECOND = 40; // more would be all that Python does
const FREQUENCIES = [100, 1000, 10_000];

export function startSpectrum(python) {
  const meter = new RateMeter();
  let count; // the samples of a spectrum, once the C library is there
  let running; // what stands for the sound that is on

  const chosen = () => element("sounds").elements.sound.value;

  async function load() {
    if (count !== undefined) return;
    const canvas = element("spectrogram").transferControlToOffscreen();
    ({ count } = await python.call("spectrum.start", { canvas }, [canvas]));
    element("spectrum-bytes").textContent = `${number(4 * count)} bytes`;
  }

  async function open() {
    if (chosen() === "microphone") return microphone(count);
    if (chosen() === "tone") return undefined;
    const [file] = element("sound-file").files;
    if (file === undefined) throw new Error("Choose a sound file first.");
    return soundFile(file, count, () => stop());
  }

  async function start() {
    showError("spectrum-error");
    const own = (running = {});
    element("sound-start").textContent = "Stop";
    element("tab-spectrum").classList.add("running");
    try {
      await load();
      const sound = await open();
      if (running !== own) return void sound?.close(); // it was stopped before it began
      own.sound = sound;
      meter.reset();
      while (running === own) {
        const soon = new Promise((resolve) => setTimeout(resolve, 1000 / COLUMNS_A_SECOND));
        const reading = sound === undefined ? await tone() : await add(sound);
        if (running === own) show(reading);
        await soon;
      }
    } catch (error) {
      showError("spectrum-error", error.message);
      if (running === own) stop();
    }
  }

  function stop() {
    running?.sound?.close();
    running = undefined;
    element("sound-start").textContent = "Start";
    element("tab-spectrum").classList.remove("running");
  }

  const tone = () => python.call("spectrum.addTone", { frequency: element("frequency").valueAsNumber });

  function add(sound) {
    const samples = sound.latest();
    return python.call("spectrum.add", { samples, rate: sound.rate }, [samples.buffer]);
  }

  function show({ peak_bin: bin, bins, peak_frequency: frequency, peak_level: level, lowest, highest }) {
    const words = `${frequency.toFixed(1)} Hz`;
    element("peak-frequency").textContent = words;
    element("peak-bin").textContent = `${number(bin)} of ${number(bins)}`;
    element("peak-level").textContent = `${level.toFixed(1).replace("-", "−")} dB`;
    element("spectra").textContent = meter.count();
    element("reading").textContent = `Frequency upwards from ${lowest} Hz to ${number(highest)} Hz, time to the right.`;
    element("spectrogram").setAttribute("aria-label", `Spectrogram; the loudest is ${words}`);
    showFrequencies(lowest, highest);
  }

  element("sounds").addEventListener("submit", (event) => {
    event.preventDefault();
    if (running === undefined) start();
    else stop();
  });

  element("sounds").addEventListener("change", ({ target }) => {
    if (target.name === "sound") {
      element("tone-field").hidden = target.value !== "tone";
      element("sound-file-field").hidden = target.value !== "file";
    }
    if (running !== undefined && target.id !== "frequency") stop();
  });

  element("frequency").addEventListener("input", ({ target }) => {
    element("frequency-shown").textContent = `${number(target.valueAsNumber)} Hz`;
  });

  fetch("python/pyodide_demo/fft.py")
    .then((answer) => answer.text())
    .then((code) => (element("fft-code").textContent = code));

  return {
    started() {
      for (const id of ["sound-choice", "sound-start"]) element(id).disabled = false;
    },
  };
}

function showFrequencies(lowest, highest) {
  const list = element("frequencies");
  if (list.dataset.highest === String(highest)) return;
  list.dataset.highest = highest;
  list.replaceChildren(
    ...FREQUENCIES.filter((frequency) => frequency < highest).map((frequency) => {
      const item = make("li", {}, frequency < 1000 ? `${frequency} Hz` : `${frequency / 1000} kHz`);
      item.style.bottom = `${(100 * Math.log(frequency / lowest)) / Math.log(highest / lowest)}%`;
      return item;
    }),
  );
}
