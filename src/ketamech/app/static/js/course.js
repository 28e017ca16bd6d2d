// The one dose that the story follows: ways to give it, and what the reader has switched off.

export const WAYS = {
  infusion: { label: "Infusion", words: "infusion over 40 min", unit: "mg/kg", usual: 0.5, low: 0.1, high: 2, step: 0.05, write: (drug, dose) => `${drug} ${dose} mg/kg IV over 40 min` },
  nasal: { label: "Nasal spray", words: "nasal spray", unit: "mg", usual: 84, low: 28, high: 140, step: 28, only: "esketamine", write: (drug, dose) => `esketamine ${dose} mg nasal` },
  muscle: { label: "Into muscle", words: "injection into a muscle", unit: "mg/kg", usual: 0.5, low: 0.1, high: 2, step: 0.05, write: (drug, dose) => `${drug} ${dose} mg/kg IM` },
  mouth: { label: "Swallowed", words: "swallowed", unit: "mg", usual: 50, low: 10, high: 300, step: 10, write: (drug, dose) => `${drug} ${dose} mg oral` },
  tongue: { label: "Under the tongue", words: "under the tongue", unit: "mg", usual: 100, low: 10, high: 300, step: 10, write: (drug, dose) => `${drug} ${dose} mg sublingual` },
  bolus: { label: "Anaesthetic injection", words: "injected within a minute", unit: "mg/kg", usual: 2, low: 0.1, high: 3, step: 0.1, write: (drug, dose) => `${drug} ${dose} mg/kg IV over 1 min` },
  rat: { label: "Into a rat", words: "injected into a rat", unit: "mg/kg", usual: 10, low: 1, high: 50, step: 1, species: "rat", write: (drug, dose) => `${drug} ${dose} mg/kg IP` },
};
export const DRUGS = { racemic: "Racemic ketamine", esketamine: "Esketamine (S)", arketamine: "Arketamine (R)" };
export const REPEATS = { once: ["Once", ""], twice: ["Twice a week", " twice weekly for 4 weeks"], thrice: ["Three a week", " 3 times a week for 4 weeks"] };
export const PATHWAYS = {
  disinhibition: ["Disinhibition", "blocked interneurons let pyramidal cells go"],
  extrasynaptic: ["Receptors outside synapses", "their block frees protein making"],
  resting_release: ["Resting synapses", "their block lifts the eEF2 brake"],
  hnk_ampa: ["Hydroxynorketamine", "the metabolite acts on AMPA directly"],
  habenula: ["Habenula", "its bursts are silenced"],
  opioid: ["Opioid system", "endorphin tone rises"],
  anti_inflammatory: ["Calmer inflammation", "cytokines fall"],
  trkb_direct: ["TrkB directly", "ketamine binds the growth receptor itself"],
};
export const BLOCKERS = {
  nbqx: ["Block AMPA receptors (NBQX)", 0.9],
  rapamycin: ["Block mTORC1 (rapamycin)", 0.9],
  anti_bdnf: ["Catch BDNF (antibody)", 0.9],
  endotoxin: ["Provoke inflammation (endotoxin)", 1],
};

export class Course {
  constructor() { this.heard = []; this.reset(false); }

  reset(tell = true) {
    Object.assign(this, { way: "infusion", drug: "racemic", dose: 0.5, repeat: "once", off: new Set(), block: new Set() });
    if (tell) this.tell();
  }

  listen(hear) { this.heard.push(hear); }

  tell() { for (const hear of this.heard) hear(this); }

  set(change) {
    if (change.way && change.way !== this.way) change.dose = WAYS[change.way].usual;
    Object.assign(this, change);
    if (WAYS[this.way].only) this.drug = WAYS[this.way].only;
    this.tell();
  }

  toggle(kind, name, on) {
    if (on) this[kind].add(name); else this[kind].delete(name);
    this.tell();
  }

  get sentence() { return WAYS[this.way].write(this.drug, Number(this.dose.toFixed(3))) + REPEATS[this.repeat][1]; }

  get species() { return WAYS[this.way].species ?? ""; }

  get usual() { return this.sentence === "racemic 0.5 mg/kg IV over 40 min" && !this.off.size && !this.block.size; }

  get scenario() {
    return {
      title: "The story's dose",
      treatments: [this.sentence],
      ...(this.species ? { species: this.species, person: {} } : { person: { weight: "70 kg" } }),
      pathways: Object.fromEntries([...this.off].map((name) => [name, false])),
      perturbations: Object.fromEntries([...this.block].map((name) => [name, BLOCKERS[name][1]])),
      horizon: "30 days",
    };
  }

  get inWords() {
    const way = WAYS[this.way];
    const repeat = this.repeat === "once" ? "" : `, ${REPEATS[this.repeat][0].toLowerCase()} for 4 weeks`;
    return `${DRUGS[this.drug].replace(/ \(.\)/, "").toLowerCase()} ${Number(this.dose.toFixed(3))} ${way.unit}, ${way.words}${repeat}`;
  }

  get changes() {
    return [...[...this.off].map((name) => `${PATHWAYS[name][0].toLowerCase()} off`), ...[...this.block].map((name) => BLOCKERS[name][0].replace(/^(\w)/, (c) => c.toLowerCase()))];
  }
}
