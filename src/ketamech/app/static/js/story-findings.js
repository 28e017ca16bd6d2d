// What a figure shows, in words, computed from its curves: the heading of each figure, and the values at the clock's time.
// `tracks`: the latest curves of each track, in the order of data/tracks/curves.csv.

import { setText } from "./dom.js";
import { extremum, formatNumber, formatTime, formatTimeLong, formatWithUnit, interpolate, lastTimeAbove } from "./format.js";

const CURVE = { plasma: { venous: 1 }, nmda: { bound: 0, interneurons: 1, pyramidal: 2 }, inflammation: { il6: 0, tnf: 1 } };
const CHANGED = 0.02; // relative
const EARLY = 8; // h, in which what the drug does while it is present is over
const capital = (text) => (/^[a-z]+\b/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text);
const curveOf = (track, curve = 0) => track.curves[curve].treated;
const valueAt = (track, hours, curve = 0) => interpolate(track.time, curveOf(track, curve), hours);
const shownAt = (track, hours, curve) => formatWithUnit(valueAt(track, hours, curve), track.unit, 2);
// E.g. "23 percent above its level before the dose".
const difference = (ratio, { above, below, none }) =>
  Math.round(100 * (ratio - 1)) ? `${percent(ratio)} ${ratio > 1 ? above : below}` : none;
const againstRest = (track, hours, words) => difference(valueAt(track, hours) / firstOf(track), words);
const OF_REST = { above: "above its level before the dose", below: "below its level before the dose", none: "as before the dose" };
// The level at rest: without the block where one is given before the dose.
const firstOf = (track, curve = 0) => track.curves[curve].rest ?? curveOf(track, curve)[0];
const extremeOf = (track, curve = 0) => extremum(track.time, curveOf(track, curve), firstOf(track, curve));
const percent = (ratio) => `${Math.abs(Math.round(100 * (ratio - 1)))} percent`;
const rounded = (value) => String(Math.round(value));

// The last time at which a curve is farther from its first value than a share of its extreme.
function lastBeyond(track, share, curve = 0) {
  const { value, first } = extremeOf(track, curve);
  const distances = curveOf(track, curve).map((one) => Math.abs(one - first));
  return lastTimeAbove(track.time, distances, share * Math.abs(value - first));
}

// A time at which something is over, e.g. "after 4 hours"; where a series is given, "2 hours after the last dose".
function overBy(track, hours, about = "") {
  const last = track.doses?.at(-1) ?? 0;
  return last > 1 && hours > last ? `${about}${formatTime(hours - last)} after the last dose` : `after ${about}${formatTime(hours)}`;
}

// A peak or a trough with its time; `what` is the subject of the sentence.
function changeOf(track, what, { curve = 0, rest = "its level before the dose" } = {}) {
  const { value, first, hours } = extremeOf(track, curve);
  const size = Math.abs(value - first) / Math.max(Math.abs(first), 1e-9);
  if (size < CHANGED) return `${capital(what)} stays within ${Math.max(1, Math.round(100 * size))} percent of ${rest}`;
  const verb = value > first ? "rises" : "falls";
  return `${capital(what)} ${verb} by ${percent(value / first)}, most after ${formatTime(hours)}`;
}

// Two rises from rest, e.g. within hours by glutamate and over days by spines; else the one change.
function changesTwice(track, what) {
  const first = firstOf(track);
  const highest = (isInside) => {
    const inside = track.time.map((hours, i) => (hours >= 0 && isInside(hours) ? i : -1)).filter((i) => i >= 0);
    const most = inside.reduce((a, b) => (curveOf(track)[b] > curveOf(track)[a] ? b : a));
    return { hours: track.time[most], ratio: curveOf(track)[most] / first };
  };
  const [early, late] = [highest((hours) => hours < EARLY), highest((hours) => hours >= EARLY)];
  const between = Math.min(...curveOf(track).filter((_, i) => track.time[i] > early.hours && track.time[i] < late.hours)) / first;
  const isTwice = Math.min(early.ratio, late.ratio) > between + CHANGED && Math.min(early.ratio, late.ratio) > 1 + CHANGED;
  if (!isTwice) return changeOf(track, what);
  const rise = ({ hours, ratio }) => `by ${percent(ratio)} after ${formatTime(hours)}`;
  return `${capital(what)} rises twice: ${rise(early)} and ${rise(late)}`;
}

// The heading of a curve that rises from zero: `none` below one unit.
const peakOf = (none, words) => (track, points) => {
  const { value, hours } = extremeOf(track);
  return value < 1 ? none : words(rounded(value), formatTime(hours), track, points);
};

// What was measured, of the published value nearest to the peak of the first curve.
function measuredNear(track, points) {
  const { hours } = extremeOf(track);
  const own = points.filter(({ curve, value }) => curve === track.curves[0].key && value !== null);
  const distance = ({ start }) => Math.abs(start - hours);
  const [nearest] = own.sort((a, b) => distance(a) - distance(b));
  return nearest ? `; measured in people: a rise by ${formatNumber(nearest.value)} mmHg at ${formatTime(nearest.start)}` : "";
}

// Said where every published value beside a curve set the model, so that none of them tests it.
function whichFitted(points) {
  if (!points.length || points.some(({ fitted }) => !fitted)) return "";
  return points.length === 1 ? "; its one published value was used to fit it" : "; its published values were used to fit it";
}

// What was measured in people stands beside what the model computes.
const SCAN = "; one scan of people found no change after a day";

const FINDINGS = {
  plasma(track) {
    const { value, hours } = extremeOf(track);
    if (!(value > 0)) return "No ketamine in the blood";
    const venous = extremeOf(track, CURVE.plasma.venous).value;
    const inVeins = `in veins, where blood is usually taken, at ${formatWithUnit(venous, track.unit)}`;
    return `The level in arteries peaks at ${formatWithUnit(value, track.unit)} after ${formatTime(hours)}; ${inVeins}`;
  },
  brain(track) {
    const { value, hours } = extremeOf(track);
    if (!(value > 0)) return "No ketamine in the brain";
    return `In the brain it peaks after ${formatTime(hours)}; nine tenths have left ${overBy(track, lastBeyond(track, 0.1))}`;
  },
  nmda(track) {
    const most = (curve) => rounded(Math.max(...curveOf(track, curve)));
    const { bound, interneurons, pyramidal } = CURVE.nmda;
    return `At most ${most(bound)} of 100 channels hold the drug; blocked are ${most(interneurons)} of 100 on interneurons and ${most(pyramidal)} on pyramidal cells`;
  },
  glutamate(track) {
    const values = curveOf(track);
    const peak = Math.max(...values);
    if (peak < 1 + CHANGED)
      return Math.min(...values) < 1 - CHANGED ? "Glutamate falls and does not rise" : "Glutamate does not rise";
    const above = track.time.filter((_, i) => values[i] > 1 + 0.1 * (peak - 1));
    return `Glutamate rises by ${percent(peak)} and is back ${overBy(track, above.at(-1), "about ")}`;
  },
  ampa: (track) => changeOf(track, "the current through AMPA receptors"),
  bdnf: (track) => changeOf(track, "BDNF", { rest: "rest" }),
  mtor: (track) => changeOf(track, "mTORC1", { rest: "rest" }),
  protein(track) {
    const { value, first } = extremeOf(track);
    const half = Math.abs(value / first - 1) < CHANGED ? "" : `; half of it is gone ${overBy(track, lastBeyond(track, 0.5))}`;
    return changeOf(track, "synaptic protein") + half;
  },
  spines(track) {
    const { value, first, hours } = extremeOf(track);
    if (Math.abs(value / first - 1) < 0.005) return "The number of spines does not change";
    return `From ${rounded(100 * first)} to ${rounded(100 * value)} spines of 100, most after ${formatTime(hours)}${SCAN}`;
  },
  habenula(track) {
    const { value, first } = extremeOf(track);
    return Math.abs(value - first) < 1
      ? "Bursts of the habenula hardly change"
      : `Cells of the habenula that burst: from ${rounded(first)} to ${rounded(value)} of 100`;
  },
  networks: (track) => changesTwice(track, "connection of the prefrontal cortex"),
  areas(track) {
    const { value, first, hours } = extremeOf(track);
    const direction = Math.abs(value - 1) < Math.abs(first - 1) ? "closer to" : "farther from";
    return `The medial prefrontal cortex moves ${direction} healthy (1): from ${first.toFixed(2)} to ${value.toFixed(2)} after ${formatTime(hours)}`;
  },
  inflammation(track) {
    const sizes = track.curves.map((_, i) => Math.abs(extremeOf(track, i).value / extremeOf(track, i).first - 1));
    const most = Math.max(...sizes);
    return most < 0.1
      ? `Signs of inflammation change by at most ${Math.max(1, Math.round(100 * most))} percent`
      : `Signs of inflammation change by up to ${Math.round(100 * most)} percent`;
  },
  kynurenine: (track) => changeOf(track, "quinolinate in the brain"),
  mood(track) {
    const low = Math.min(...curveOf(track));
    const at = track.time[curveOf(track).indexOf(low)];
    return `The score falls from ${rounded(firstOf(track))} to ${rounded(low)}, lowest after ${formatTimeLong(at)}`;
  },
  suicidality(track, points) {
    const { value, first, hours } = extremeOf(track);
    const control = track.curves[0].control;
    const without = control ? `, and to ${formatNumber(interpolate(track.time, control, hours), 2)} without the drug` : "";
    return `In the model the score of suicidal thoughts (${track.unit}) goes from ${formatNumber(first, 2)} to ${formatNumber(value, 2)} by ${formatTimeLong(hours)}${without}${whichFitted(points)}`;
  },
  dissociation: peakOf("Hardly any dissociation", (value, hours, track) => `Dissociation peaks at ${value} of 92 points after ${hours} and is almost gone ${overBy(track, lastBeyond(track, 0.1))}`),
  sedation: peakOf("Hardly any sleepiness", (value, hours) => `Sleepiness peaks at ${value} percent of full anaesthesia after ${hours}`),
  haemodynamics: peakOf("Blood pressure hardly rises", (value, hours, track, points) => `Upper (systolic) blood pressure rises by ${value} mmHg, most after ${hours}${measuredNear(track, points)}`),
  pain: peakOf("Hardly any pain relief", (value, hours, track) => `Pain relief peaks at ${value} percent after ${hours} and is mostly gone ${overBy(track, lastBeyond(track, 0.25))}`),
};

// `points`: the published values of the track.
export const finding = (track, points) => FINDINGS[track.key]?.(track, points) ?? track.label;

// The text of a caption; the number of the time beside it follows.
export function writeCaption(place, text) {
  setText(place, text);
  place.dispatchEvent(new Event("written"));
}

// What a chapter shows at the time of the clock, after "After 2 hours, "; by the chapter's id.
export const CAPTIONS = {
  dose({ plasma }, hours) {
    return `the blood in the arteries holds ${shownAt(plasma, hours)} of ketamine.`;
  },
  receptor({ nmda }, hours) {
    const { interneurons, pyramidal } = CURVE.nmda;
    return `${shownAt(nmda, hours, interneurons)} of NMDA receptors are blocked on interneurons and ${shownAt(nmda, hours, pyramidal)} on pyramidal cells.`;
  },
  glutamate({ glutamate }, hours) {
    return `glutamate is ${againstRest(glutamate, hours, OF_REST)}.`;
  },
  signalling({ ampa, bdnf, mtor, protein }, hours) {
    const than = (track) => againstRest(track, hours, { above: "higher", below: "lower", none: "unchanged" });
    return `compared with the level before the dose, the current through AMPA receptors is ${than(ampa)}, BDNF ${than(bdnf)}, mTORC1 ${than(mtor)} and synaptic protein ${than(protein)}.`;
  },
  synapses({ spines }, hours) {
    return `there are ${rounded(100 * valueAt(spines, hours))} spines for every 100 in a healthy brain, against ${rounded(100 * firstOf(spines))} before.`;
  },
  networks({ habenula, networks }, hours) {
    const bursting = `${shownAt(habenula, hours)} of habenula cells fire in bursts (${formatWithUnit(firstOf(habenula), habenula.unit, 2)} before)`;
    const connected = (value) => `${rounded(100 * value)} percent`;
    return `${bursting}. Connection of the prefrontal cortex is ${connected(valueAt(networks, hours))} of the healthy value (${connected(firstOf(networks))} before).`;
  },
  inflammation({ inflammation }, hours) {
    const { il6, tnf } = CURVE.inflammation;
    const than = (value) => difference(value, { above: "higher", below: "lower", none: "the same" });
    const words = (curve) => `${than(valueAt(inflammation, hours, curve))} (before the dose: ${than(firstOf(inflammation, curve))})`;
    return `compared with healthy people, TNF is ${words(tnf)} and IL-6 is ${words(il6)}.`;
  },
  felt({ dissociation, sedation }, hours) {
    return `the dissociation score is ${rounded(valueAt(dissociation, hours))} of 92 and sleepiness is ${rounded(valueAt(sedation, hours))} % of full anaesthesia.`;
  },
  safety({ haemodynamics }, hours) {
    return `upper (systolic) blood pressure is ${rounded(valueAt(haemodynamics, hours))} mmHg above its level before the dose.`;
  },
  mood({ mood }, hours) {
    const score = curveOf(mood);
    const lowest = Math.min(...score);
    const time = formatTimeLong(mood.time[score.indexOf(lowest)]);
    const control = interpolate(mood.time, mood.curves[0].control ?? score, hours);
    return `the MADRS score is ${rounded(valueAt(mood, hours))}; without the drug it would be ${rounded(control)}. It is lowest, ${rounded(lowest)}, at ${time}.`;
  },
  comparison: null, // written by the chapter itself
};
