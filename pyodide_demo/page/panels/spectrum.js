// The panel of the spectrogram: which sound it is, and what was read of it.

import { button, element, input, make, number, pause, showError, wordsOf } from "../dom.js";
import { Restarted } from "../python.js";
import { RateMeter } from "../rate_meter.js";
import { audibleTone, microphone, soundFile } from "../sounds.js";
import { freshCanvas } from "../surfaces.js";

/** @import { Reading } from "../protocol.d.ts" */
/** @import { Python } from "../python.js" */
/** @import { Sound } from "../sounds.js" */
/** @import { State } from "../state.js" */

const COLUMNS_A_SECOND = 40; // more would be all that Python does
const COLUMNS = 480;
const FREQUENCIES = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000];
const SOUNDS = ["tone", "microphone", "file"];
/** The slider goes as the picture does, by equal steps of pitch. */
const [LOWEST, HIGHEST, STEPS] = [60, 12_000, 1000];
const TONE_RATE = 48_000;

const frequencyAt = (/** @type {number} */ step) => Math.round(LOWEST * (HIGHEST / LOWEST) ** (step / STEPS));
const stepOf = (/** @type {number} */ frequency) =>
  Math.round((STEPS * Math.log(frequency / LOWEST)) / Math.log(HIGHEST / LOWEST));

/**
 * @param {Python} python
 * @param {State} state
 */
export function startSpectrum(python, state) {
  const meter = new RateMeter();
  /** @type {number | undefined} */
  let count; // the samples of a spectrum, once the C library is there
  /** @typedef {{ sound?: Sound, tone?: ReturnType<typeof audibleTone> }} Running */
  /** @type {Running | undefined} */
  let running;

  const sound = () => state.of("spectrum").sound;
  const frequency = () => Math.min(HIGHEST, Math.max(LOWEST, Number(state.of("spectrum").frequency) || 440));

  async function load() {
    if (count === undefined) {
      const canvas = freshCanvas("spectrogram");
      ({ count } = await python.call("spectrum.start", { canvas }, [canvas]));
      element("spectrum-bytes").textContent = `${number(4 * count)} bytes`;
    }
    return count;
  }

  /**
   * @param {Running} own
   * @param {number} samples
   */
  async function open(own, samples) {
    if (sound() === "microphone") own.sound = await microphone(samples);
    else if (sound() === "tone") own.tone = audibleTone(frequency());
    else {
      const file = input("sound-file").files?.[0];
      if (file === undefined) throw new Error("Choose a sound file first.");
      own.sound = await soundFile(file, samples, stop);
    }
  }

  /** @param {Running} own */
  function next(own) {
    if (own.sound === undefined) return python.call("spectrum.addTone", { frequency: frequency(), rate: TONE_RATE });
    const samples = own.sound.latest();
    return python.call("spectrum.add", { samples, rate: own.sound.rate }, [samples.buffer]);
  }

  async function start() {
    showError("spectrum-error");
    /** @type {Running} */
    const own = {};
    running = own;
    button("sound-start").textContent = "Stop";
    element("tab-spectrum").classList.add("running");
    try {
      await open(own, await load());
      if (running !== own) return void close(own); // it was stopped before it began
      await python.call("spectrum.clear", {});
      meter.reset();
      while (running === own) {
        const soon = pause(1000 / COLUMNS_A_SECOND);
        const reading = await next(own);
        if (running === own) show(reading);
        await soon;
      }
    } catch (error) {
      const restarted = error instanceof Restarted;
      showError("spectrum-error", restarted ? "Python was restarted: start the sound again." : wordsOf(error));
      if (running === own) stop();
    }
  }

  /** @param {Running} own */
  function close(own) {
    void own.sound?.close();
    void own.tone?.close();
  }

  function stop() {
    if (running !== undefined) close(running);
    running = undefined;
    button("sound-start").textContent = "Start";
    element("tab-spectrum").classList.remove("running");
  }

  /** @param {Reading} reading */
  function show({ peak_bin: bin, bins, peak_frequency: peak, peak_level: level, lowest, highest }) {
    const rate = meter.count();
    const words = `${peak.toFixed(1)} Hz`;
    element("peak-frequency").textContent = words;
    element("peak-bin").textContent = `${number(bin)} of ${number(bins)}`;
    element("peak-level").textContent = `${level.toFixed(1).replace("-", "−")} dB`;
    element("spectra").textContent = rate.toFixed(1);
    element("reading").textContent = `Pitch upwards from ${lowest} Hz to ${number(highest)} Hz, time to the right.`;
    element("spectrogram").setAttribute("aria-label", `Spectrogram; the loudest is ${words}`);
    showFrequencies(lowest, highest);
    element("span-of-time").textContent = rate > 1 ? `${Math.round(COLUMNS / rate)} s ago` : "";
  }

  function showChosen() {
    for (const each of SOUNDS) input(`sound-by-${each}`).checked = each === sound();
    element("tone-field").hidden = sound() !== "tone";
    element("sound-file-field").hidden = sound() !== "file";
    input("frequency").value = String(stepOf(frequency()));
    input("frequency").setAttribute("aria-valuetext", `${frequency()} Hz`);
    element("frequency-shown").textContent = `${number(frequency())} Hz`;
    running?.tone?.tune(frequency());
  }

  element("sounds").addEventListener("submit", (event) => {
    event.preventDefault();
    if (running === undefined) void start();
    else stop();
  });
  for (const each of SOUNDS) {
    input(`sound-by-${each}`).addEventListener("change", () => {
      stop();
      state.choose("spectrum", { sound: each });
    });
  }
  input("sound-file").addEventListener("change", stop);
  input("frequency").addEventListener("input", () => {
    state.choose("spectrum", { frequency: String(frequencyAt(input("frequency").valueAsNumber)) });
  });
  state.listen("spectrum", showChosen);
  showChosen();

  return {
    started() {
      /** @type {HTMLFieldSetElement} */ (element("sound-choice")).disabled = false;
      button("sound-start").disabled = false;
    },

    restarting() {
      stop();
      count = undefined;
    },
  };
}

/**
 * @param {number} lowest
 * @param {number} highest
 */
function showFrequencies(lowest, highest) {
  const list = element("frequencies");
  if (list.dataset.highest === String(highest)) return;
  list.dataset.highest = String(highest);
  list.replaceChildren(
    ...FREQUENCIES.filter((frequency) => frequency < highest).map((frequency) => {
      const item = make("li", {}, frequency < 1000 ? `${frequency} Hz` : `${frequency / 1000} kHz`);
      item.style.bottom = `${(100 * Math.log(frequency / lowest)) / Math.log(highest / lowest)}%`;
      return item;
    }),
  );
}
