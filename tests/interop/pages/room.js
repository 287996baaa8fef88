// The conference page of the vendor's sample, on the unmodified SDK: a room box, a button that joins and leaves, a
// player per track. What the person behind it looks and sounds like is said by the test, and what the page sees and
// hears is measured on what the browser has decoded.

import { WebRTCAdaptor } from "/sdk/index.js";

const PREFIX = "ARDAMSx".length;
const SPECTRUM = 8192;

export const log = [];
export const binaries = []; // what came in pieces, a character for each byte
export let adaptor = null;

const roomBox = document.getElementById("roomName");
const button = document.getElementById("join");
const playersBox = document.getElementById("players");
const sound = new AudioContext();
const players = new Map(); // by track label, which is the participant itself on older servers
const owners = new Map(); // who is lent which slot: said before or after the track, and as often as it changes
let person = null;
let joined = false;
let muted = false;
let cameraOff = false;

// -- who this is --

/** Opens the socket. `person`: what publish takes, and colour, width, height, pitch (none = no such
 *  media); playOnly, dataOnly, devices (the SDK's own getUserMedia); codec (the only one that is offered). */
export function open(websocketURL, who) {
  person = who;
  if (who.codec) {
    offerOnly(who.codec);
  }
  const media = {};
  if (who.playOnly) {
    media.isPlayMode = true;
  } else if (who.dataOnly) {
    media.onlyDataChannel = true;
  } else if (who.devices) {
    media.mediaConstraints = who.devices;
  } else {
    media.localStream = new MediaStream([
      ...(who.colour ? picture(who.colour, who.width, who.height) : []),
      ...(who.pitch ? tone(who.pitch) : []),
    ]);
  }
  adaptor = new WebRTCAdaptor({
    websocket_url: websocketURL,
    ...media,
    callback,
    callbackError: (error, message) => log.push({ error, obj: plain(message) }),
  });
}

/** The SDK has no choice of codec, so the browser is asked before it offers. */
function offerOnly(codec) {
  const wanted = RTCRtpSender.getCapabilities("video").codecs.filter(({ mimeType }) => mimeType === codec);
  const { createOffer } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.createOffer = function (...options) {
    for (const transceiver of this.getTransceivers()) {
      if (transceiver.sender.track?.kind === "video") {
        transceiver.setCodecPreferences(wanted);
      }
    }
    return createOffer.apply(this, options);
  };
}

function picture([red, green, blue], width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  document.body.append(canvas);
  const pen = canvas.getContext("2d");
  const paint = () => {
    pen.fillStyle = `rgb(${red} ${green} ${blue})`;
    pen.fillRect(0, 0, width, height);
  };
  paint();
  setInterval(paint, 1000 / 15); // a canvas gives a frame when it is painted
  return canvas.captureStream().getTracks();
}

function tone(pitch) {
  const oscillator = new OscillatorNode(sound, { frequency: pitch });
  const speaker = new MediaStreamAudioDestinationNode(sound);
  oscillator.connect(new GainNode(sound, { gain: 0.3 })).connect(speaker);
  oscillator.start();
  return speaker.stream.getTracks();
}

// -- the page's buttons --

button.onclick = () => (joined ? leave() : join());

function join() {
  const room = roomBox.value;
  adaptor.closePeerConnection(room); // the SDK opens one again when an offer crosses our stop
  joined = true;
  button.textContent = "Leave";
  const { streamId, token, subscriberId, subscriberCode, name, metaData, role } = person;
  if (!person.playOnly) {
    adaptor.publish(streamId, token, subscriberId, subscriberCode, name, room, metaData, role);
  }
  adaptor.play(room, token, room, [], subscriberId, subscriberCode, "", role);
}

/** Plays by the SDK's object form: `what` has its fields. */
export function watch(what) {
  joined = true;
  roomBox.value = what.streamId;
  adaptor.play(what);
}

export function leave() {
  joined = false;
  button.textContent = "Join";
  if (!person.playOnly) {
    adaptor.stop(person.streamId);
  }
  adaptor.stop(roomBox.value);
  clear();
}

/** Turns "microphone" or "camera" on or off and tells the room, in the order and with the metaData of the dialect:
 *  PAGE sends the event before the metaData, CIRCLE after it. */
export async function turn(device, on, dialect) {
  if (device === "microphone") {
    on ? adaptor.unmuteLocalMic() : adaptor.muteLocalMic();
    muted = !on;
  } else {
    await (on ? showCamera() : adaptor.turnOffLocalCamera(person.streamId));
    cameraOff = !on;
  }
  const camera = dialect === "PAGE" ? { isCameraOff: cameraOff } : { isCameraOn: !cameraOff };
  const metaData = JSON.stringify({ isMicMuted: muted, ...camera });
  const eventType = { microphone: ["MIC_MUTED", "MIC_UNMUTED"], camera: ["CAM_TURNED_OFF", "CAM_TURNED_ON"] }[device][+on];
  const announce = () => adaptor.sendData(person.streamId, JSON.stringify({ streamId: person.streamId, eventType }));
  const update = () => adaptor.updateStreamMetaData(person.streamId, metaData);
  (dialect === "PAGE" ? [announce, update] : [update, announce]).forEach((step) => step());
}

function showCamera() {
  if (person.devices) {
    return adaptor.turnOnLocalCamera(person.streamId);
  }
  const stream = new MediaStream(picture(person.colour, person.width, person.height));
  return adaptor.updateVideoTrack(stream, person.streamId, null, true);
}

// -- what the SDK says --

function callback(info, obj) {
  log.push({ info, obj: plain(obj) });
  switch (info) {
    case "initialized":
      button.disabled = false;
      break;
    case "newTrackAvailable":
      if (joined) {
        play(obj);
      }
      break;
    case "reconnection_attempt_for_player":
      clear(); // the tracks of a connection that is closed do not end
      break;
    case "data_received":
      takeEvent(obj.data);
      break;
  }
}

/** What of a callback's object can leave the page. */
function plain(obj) {
  if (obj?.track) {
    return { trackId: obj.trackId, streamId: obj.streamId, kind: obj.track.kind };
  }
  if (obj?.data instanceof ArrayBuffer) {
    binaries.push(String.fromCharCode(...new Uint8Array(obj.data)));
    return { streamId: obj.streamId, size: obj.data.byteLength };
  }
  try {
    return JSON.parse(JSON.stringify(obj ?? null));
  } catch {
    return String(obj);
  }
}

function play({ track, trackId, stream }) {
  const label = trackId.substring(PREFIX);
  if (label === roomBox.value || label === person.streamId) {
    return;
  }
  stream.onremovetrack = (event) => removeTrack(event.track);
  const player = players.get(label) ?? createPlayer(label);
  player.stream.addTrack(track);
  if (track.kind === "audio") {
    player.ear = new AnalyserNode(sound, { fftSize: SPECTRUM, smoothingTimeConstant: 0 });
    new MediaStreamAudioSourceNode(sound, { mediaStream: new MediaStream([track]) }).connect(player.ear);
  }
}

function createPlayer(label) {
  const element = Object.assign(document.createElement("video"), { id: label, autoplay: true, muted: true });
  const player = { element, stream: new MediaStream(), ear: null, owner: label };
  element.srcObject = player.stream;
  playersBox.append(element);
  players.set(label, player);
  return player;
}

function removeTrack(track) {
  for (const [label, player] of players) {
    if (player.stream.getTracks().includes(track)) {
      player.stream.removeTrack(track);
      if (player.stream.getTracks().length === 0) {
        removePlayer(label);
      }
    }
  }
}

function removePlayer(label) {
  const { element, ear } = players.get(label);
  element.srcObject = null;
  element.remove();
  ear?.disconnect();
  players.delete(label);
}

function clear() {
  for (const label of [...players.keys()]) {
    removePlayer(label);
  }
  owners.clear();
}

function takeEvent(data) {
  let event = null;
  try {
    event = JSON.parse(data);
  } catch {
    return; // text that is no event is legal
  }
  if (event?.eventType === "VIDEO_TRACK_ASSIGNMENT_LIST" || event?.eventType === "AUDIO_TRACK_ASSIGNMENT") {
    for (const { videoLabel, audioLabel, trackId } of event.payload) {
      owners.set(videoLabel ?? audioLabel, trackId);
    }
  }
}

// -- what is seen and heard --

/** Every player: label, owner, and as far as there is any video {width, height, colour, frames} and audio
 *  {frequency, energy, samples}. `frames` and `samples` only grow. */
export async function sample() {
  const received = new Map();
  const connection = adaptor.remotePeerConnection[roomBox.value];
  for (const entry of (await connection?.getStats())?.values() ?? []) {
    if (entry.type === "inbound-rtp") {
      received.set(entry.trackIdentifier, entry);
    }
  }
  return [...players].map(([label, player]) => {
    const [video] = player.stream.getVideoTracks();
    const [audio] = player.stream.getAudioTracks();
    return {
      label,
      owner: owners.get(label) ?? label,
      video: video ? look(player.element, received.get(video.id)) : null,
      audio: audio ? listen(player.ear, received.get(audio.id)) : null,
    };
  });
}

/** The MIME type of the video that is being sent. */
export async function sentCodec() {
  const stats = await adaptor.remotePeerConnection[person.streamId].getStats();
  const video = [...stats.values()].find(({ type, kind }) => type === "outbound-rtp" && kind === "video");
  return stats.get(video.codecId).mimeType;
}

/** The part of the own sound that is reported as lost on its way. */
export async function lossReported() {
  const stats = await adaptor.remotePeerConnection[person.streamId].getStats();
  const report = [...stats.values()].find(({ type, kind }) => type === "remote-inbound-rtp" && kind === "audio");
  return report?.fractionLost ?? 0;
}

function look(element, stats) {
  const pen = new OffscreenCanvas(8, 8).getContext("2d");
  pen.drawImage(element, 0, 0, 8, 8);
  const colour = [0, 0, 0];
  pen.getImageData(0, 0, 8, 8).data.forEach((value, index) => {
    if (index % 4 < 3) {
      colour[index % 4] += value / 64;
    }
  });
  return { width: element.videoWidth, height: element.videoHeight, colour, frames: stats?.framesDecoded ?? 0 };
}

function listen(ear, stats) {
  const spectrum = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(spectrum);
  const wave = new Float32Array(SPECTRUM);
  ear.getFloatTimeDomainData(wave);
  const loudest = spectrum.indexOf(Math.max(...spectrum));
  return {
    frequency: (loudest * sound.sampleRate) / SPECTRUM,
    energy: Math.sqrt(wave.reduce((sum, value) => sum + value * value, 0) / SPECTRUM),
    samples: stats?.jitterBufferEmittedCount ?? 0,
  };
}
