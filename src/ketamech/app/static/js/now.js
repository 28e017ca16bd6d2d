// The sentence under each chapter that reads the clock.

import { at, extreme, hoursInWords, number, withUnit } from "./words.js";
import { clockInWords } from "./words.js";

const value = (figure, i, hours) => withUnit(at(figure.time, figure.curves[i]?.treated, hours), figure.unit);
const top = (figure, i = 0) => { const found = extreme(figure.time, figure.curves[i].treated); return { ...found, words: withUnit(found.value, figure.unit), when: hoursInWords(found.hours) }; };

export const NOW = {
  plasma: (f, h) => `${cap(clockInWords(h))} after the start: ${value(f.plasma, 0, h)} of ketamine in arterial blood. It is highest at ${top(f.plasma).when}, ${top(f.plasma).words}.`,
  nmda: (f, h) => `${cap(clockInWords(h))} after the start ${value(f.nmda, 0, h)} of NMDA receptors are blocked; on interneurons ${value(f.nmda, 1, h)}, on pyramidal cells ${value(f.nmda, 2, h)}.`,
  glutamate: (f, h) => {
    const high = Math.max(...f.glutamate.curves[0].treated);
    const verdict = high < 1.02 ? "At this dose there is no surge." : `The surge peaks at ${number(high)} times rest.`;
    return `Glutamate is at ${number(at(f.glutamate.time, f.glutamate.curves[0].treated, h))} times rest, current through AMPA receptors at ${number(at(f.ampa.time, f.ampa.curves[0].treated, h))}. ${verdict}`;
  },
  bdnf: (f, h) => `BDNF is at ${number(at(f.bdnf.time, f.bdnf.curves[0].treated, h))} times rest and mTORC1 at ${number(at(f.mtor.time, f.mtor.curves[0].treated, h))}; synaptic protein, slower, at ${number(at(f.protein.time, f.protein.curves[0].treated, h))}.`,
  spines: (f, h) => `Spine density stands at ${number(at(f.spines.time, f.spines.curves[0].treated, h))} of that of a healthy person; it began at ${number(f.spines.curves[0].treated[0])} and is highest at ${top(f.spines).when}.`,
  habenula: (f, h) => `${value(f.habenula, 0, h)} of habenula cells fire in bursts (${withUnit(f.habenula.curves[0].treated[0], f.habenula.unit)} before). Prefrontal contact with the rest is at ${number(at(f.networks.time, f.networks.curves[0].treated, h))} of healthy.`,
  inflammation: (f, h) => `TNF stands at ${number(at(f.inflammation.time, f.inflammation.curves[0].treated, h))} and IL-6 at ${number(at(f.inflammation.time, f.inflammation.curves[1].treated, h))} times those of a healthy person.`,
  mood: (f, h) => {
    const curve = f.mood.curves[0], with_ = at(f.mood.time, curve.treated, h), without = at(f.mood.time, curve.control, h);
    const least = top(f.mood);
    return `${cap(clockInWords(h))} after the start the score is ${number(with_)}; with the same hopes and no drug it would be ${number(without)}. It is lowest, ${number(least.value)}, at ${least.when}.`;
  },
};

const cap = (text) => text.charAt(0).toUpperCase() + text.slice(1);
