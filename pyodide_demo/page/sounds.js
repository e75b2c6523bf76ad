// Sounds that come from outside: each is opened with a function for the latest samples, and one that ends it.

/** @typedef {{ rate: number, latest(): Float32Array<ArrayBuffer>, close(): Promise<void> }} Sound */

/**
 * @param {number} count
 * @param {(context: AudioContext, analyser: AnalyserNode) => Promise<() => void>} connect gives what ends it
 * @returns {Promise<Sound>}
 */
async function listen(count, connect) {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: count });
  try {
    const stop = await connect(context, analyser);
    return {
      rate: context.sampleRate,
      latest() {
        const samples = new Float32Array(count);
        analyser.getFloatTimeDomainData(samples);
        return samples;
      },
      async close() {
        stop();
        await context.close();
      },
    };
  } catch (error) {
    await context.close();
    throw error;
  }
}

/** @param {number} count */
export function microphone(count) {
  return listen(count, async (context, analyser) => {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      throw new Error(`The microphone cannot be used: ${reasonOf(error)}.`);
    }
    context.createMediaStreamSource(stream).connect(analyser);
    return () => {
      for (const track of stream.getTracks()) track.stop();
    };
  });
}

/**
 * A tone that is heard; what is shown of it, Python makes.
 * @param {number} frequency
 */
export function audibleTone(frequency) {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency });
  oscillator.connect(new GainNode(context, { gain: 0.08 })).connect(context.destination);
  oscillator.start();
  return {
    rate: context.sampleRate,
    /** @param {number} to */
    tune: (to) => oscillator.frequency.setValueAtTime(to, context.currentTime),
    close: () => context.close(),
  };
}

/**
 * @param {File} file
 * @param {number} count
 * @param {() => void} ended is called when the file was played to its end
 */
export function soundFile(file, count, ended) {
  return listen(count, async (context, analyser) => {
    let buffer;
    try {
      buffer = await context.decodeAudioData(await file.arrayBuffer());
    } catch {
      throw new Error(`${file.name} is not a sound that this browser can read.`);
    }
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(analyser).connect(context.destination);
    source.addEventListener("ended", ended);
    source.start();
    return () => {
      source.removeEventListener("ended", ended);
      source.stop();
    };
  });
}

/**
 * Why camera or microphone cannot be used, in words.
 * @param {unknown} error
 */
export function reasonOf(error) {
  /** @type {Record<string, string>} */
  const reasons = {
    NotAllowedError: "it was not allowed",
    NotFoundError: "there is none on this machine",
    NotReadableError: "another program uses it",
  };
  if (navigator.mediaDevices === undefined) return "browsers allow it on secure pages only (https, or this machine)";
  if (!(error instanceof Error)) return String(error);
  return reasons[error.name] ?? error.message;
}
