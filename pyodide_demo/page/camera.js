// The camera, frame by frame.

import { reasonOf } from "./sounds.js";

export async function openCamera() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, facingMode: "user" } });
  } catch (error) {
    throw new Error(`The camera cannot be used: ${reasonOf(error)}.`);
  }
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  return {
    /** The next frame, as an ImageBitmap. */
    async frame() {
      await new Promise(requestAnimationFrame);
      return createImageBitmap(video);
    },

    close() {
      for (const track of stream.getTracks()) track.stop();
    },
  };
}
