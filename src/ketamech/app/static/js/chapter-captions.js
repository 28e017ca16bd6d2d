// The sentence below each chapter: values at the selected time. `tracks`: the latest curves of each track.

import { extremum, formatNumber, formatTime, formatTimeLong, formatWithUnit, interpolate } from "./format.js";

const CURVE = {
  nmda: { interneurons: 1, pyramidal: 2 },
  inflammation: { il6: 0, tnf: 1 },
};

const after = (hours) => {
  const text = `${formatTimeLong(hours)} after the start`;
  return text.charAt(0).toUpperCase() + text.slice(1);
};
const valueAt = (track, hours, curve = 0) => interpolate(track.time, track.curves[curve].treated, hours);
const shownAt = (track, hours, curve) => formatWithUnit(valueAt(track, hours, curve), track.unit);
const numberAt = (track, hours, curve) => formatNumber(valueAt(track, hours, curve));
const firstOf = (track) => track.curves[0].treated[0];
const extremeOf = (track) => extremum(track.time, track.curves[0].treated);

export const CAPTIONS = {
  plasma({ plasma }, hours) {
    const peak = extremeOf(plasma);
    const highest = `The peak is ${formatWithUnit(peak.value, plasma.unit)}, at ${formatTime(peak.hours)}.`;
    return `${after(hours)}, arterial ketamine is ${shownAt(plasma, hours)}. ${highest}`;
  },
  nmda({ nmda }, hours) {
    const inter = shownAt(nmda, hours, CURVE.nmda.interneurons);
    const pyramidal = shownAt(nmda, hours, CURVE.nmda.pyramidal);
    const all = `${shownAt(nmda, hours)} of NMDA receptors are blocked`;
    return `${after(hours)}, ${all}: ${inter} on interneurons and ${pyramidal} on pyramidal cells.`;
  },
  glutamate({ glutamate, ampa }, hours) {
    const peak = Math.max(...glutamate.curves[0].treated);
    const surge =
      peak < 1.02 ? "At this dose there is no surge." : `The surge peaks at ${formatNumber(peak)}× baseline.`;
    const levels = `glutamate is ${numberAt(glutamate, hours)}× and AMPA current ${numberAt(ampa, hours)}× baseline`;
    return `${after(hours)}, ${levels}. ${surge}`;
  },
  bdnf({ bdnf, mtor, protein }, hours) {
    const fast = `BDNF is ${numberAt(bdnf, hours)}× and mTORC1 ${numberAt(mtor, hours)}× baseline`;
    return `${after(hours)}, ${fast}. Synaptic protein changes more slowly and is ${numberAt(protein, hours)}×.`;
  },
  spines({ spines }, hours) {
    const now = `spine density is ${numberAt(spines, hours)} of the healthy value`;
    const peak = `It was ${formatNumber(firstOf(spines))} before treatment and is highest at ${formatTime(extremeOf(spines).hours)}.`;
    return `${after(hours)}, ${now}. ${peak}`;
  },
  habenula({ habenula, networks }, hours) {
    const before = formatWithUnit(firstOf(habenula), habenula.unit);
    const bursting = `${shownAt(habenula, hours)} of lateral habenula cells fire in bursts (${before} before treatment)`;
    return `${after(hours)}, ${bursting}. Prefrontal connectivity is ${numberAt(networks, hours)} of the healthy value.`;
  },
  inflammation({ inflammation }, hours) {
    const { il6, tnf } = CURVE.inflammation;
    const levels = `TNF is ${numberAt(inflammation, hours, tnf)}× and IL-6 ${numberAt(inflammation, hours, il6)}×`;
    return `${after(hours)}, ${levels} the healthy value.`;
  },
  mood({ mood }, hours) {
    const control = formatNumber(interpolate(mood.time, mood.curves[0].control, hours));
    const lowest = extremeOf(mood);
    const scores = `MADRS is ${numberAt(mood, hours)}; with the same expectancy and no drug it is ${control}`;
    return `${after(hours)}, ${scores}. It is lowest, ${formatNumber(lowest.value)}, at ${formatTime(lowest.hours)}.`;
  },
};
