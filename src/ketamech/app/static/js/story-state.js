// The treatment that the story simulates: how the drug is given, and which pathways are off or blocked.

export const ROUTES = {
  infusion: {
    label: "IV infusion",
    phrase: "IV over 40 min",
    unit: "mg/kg",
    usual: 0.5,
    min: 0.1,
    max: 2,
    step: 0.05,
    regimen: (drug, dose) => `${drug} ${dose} mg/kg IV over 40 min`,
  },
  nasal: {
    label: "Nasal spray",
    phrase: "nasal spray",
    unit: "mg",
    usual: 84,
    min: 28,
    max: 140,
    step: 28,
    onlyDrug: "esketamine",
    regimen: (drug, dose) => `${drug} ${dose} mg nasal`,
  },
  muscle: {
    label: "Intramuscular",
    phrase: "intramuscular",
    unit: "mg/kg",
    usual: 0.5,
    min: 0.1,
    max: 2,
    step: 0.05,
    regimen: (drug, dose) => `${drug} ${dose} mg/kg IM`,
  },
  mouth: {
    label: "Oral",
    phrase: "oral",
    unit: "mg",
    usual: 50,
    min: 10,
    max: 300,
    step: 10,
    regimen: (drug, dose) => `${drug} ${dose} mg oral`,
  },
  tongue: {
    label: "Sublingual",
    phrase: "sublingual",
    unit: "mg",
    usual: 100,
    min: 10,
    max: 300,
    step: 10,
    regimen: (drug, dose) => `${drug} ${dose} mg sublingual`,
  },
  bolus: {
    label: "IV bolus",
    phrase: "IV over 1 min",
    unit: "mg/kg",
    usual: 2,
    min: 0.1,
    max: 3,
    step: 0.1,
    regimen: (drug, dose) => `${drug} ${dose} mg/kg IV over 1 min`,
  },
  rat: {
    label: "Intraperitoneal, rat",
    phrase: "intraperitoneal in a rat",
    unit: "mg/kg",
    usual: 10,
    min: 1,
    max: 50,
    step: 1,
    species: "rat",
    regimen: (drug, dose) => `${drug} ${dose} mg/kg IP`,
  },
};

export const DRUGS = { racemic: "Racemic ketamine", esketamine: "Esketamine (S)", arketamine: "Arketamine (R)" };

export const SCHEDULES = {
  once: { label: "Single dose", regimen: "", phrase: "" },
  twice: { label: "Twice weekly", regimen: " twice weekly for 4 weeks", phrase: ", twice weekly for 4 weeks" },
  thrice: { label: "3 times weekly", regimen: " 3 times a week for 4 weeks", phrase: ", 3 times weekly for 4 weeks" },
};

// Perturbations of the chapters; `fraction` of the target for the whole simulation.
export const PERTURBATIONS = {
  nbqx: { label: "Block AMPA receptors (NBQX)", fraction: 0.9 },
  rapamycin: { label: "Block mTORC1 (rapamycin)", fraction: 0.9 },
  anti_bdnf: { label: "Bind BDNF (antibody)", fraction: 0.9 },
  endotoxin: { label: "Induce inflammation (endotoxin)", fraction: 1 },
};

const DEFAULTS = { route: "infusion", drug: "racemic", dose: 0.5, schedule: "once" };
export const DEFAULT_DOSE = "0.5 mg/kg IV over 40 min";

export class StoryState {
  constructor() {
    this.listeners = [];
    this.pathwayLabels = new Map(); // by id, from the server
    this.setDefaults();
  }

  setDefaults() {
    Object.assign(this, { ...DEFAULTS, pathwaysOff: new Set(), perturbations: new Set() });
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  notify() {
    for (const listener of this.listeners) listener();
  }

  reset() {
    this.setDefaults();
    this.notify();
  }

  // Another route brings its usual dose and, where only one drug is given by it, that drug.
  set(change) {
    if (change.route && change.route !== this.route) change.dose = ROUTES[change.route].usual;
    Object.assign(this, change);
    this.drug = ROUTES[this.route].onlyDrug ?? this.drug;
    this.notify();
  }

  // Another drug than the only one of a route is given by infusion.
  setDrug(drug) {
    const { onlyDrug } = ROUTES[this.route];
    this.set(onlyDrug && drug !== onlyDrug ? { route: "infusion", drug } : { drug });
  }

  toggle(set, id, on) {
    if (on) set.add(id);
    else set.delete(id);
    this.notify();
  }

  get roundedDose() {
    return Number(this.dose.toFixed(3));
  }

  get regimen() {
    return ROUTES[this.route].regimen(this.drug, this.roundedDose) + SCHEDULES[this.schedule].regimen;
  }

  get species() {
    return ROUTES[this.route].species ?? "";
  }

  get isDefault() {
    const unchanged = Object.entries(DEFAULTS).every(([key, value]) => this[key] === value);
    return unchanged && !this.pathwaysOff.size && !this.perturbations.size;
  }

  get scenario() {
    return {
      title: "Scenario of the story",
      treatments: [this.regimen],
      ...(this.species ? { species: this.species, person: {} } : { person: { weight: "70 kg" } }),
      pathways: Object.fromEntries([...this.pathwaysOff].map((id) => [id, false])),
      perturbations: Object.fromEntries([...this.perturbations].map((id) => [id, PERTURBATIONS[id].fraction])),
      horizon: "31 days", // beyond the end of the time slider
    };
  }

  get description() {
    const { unit, phrase } = ROUTES[this.route];
    const drug = DRUGS[this.drug].replace(/ \(.\)/, "").toLowerCase();
    return `${drug} ${this.roundedDose} ${unit} ${phrase}${SCHEDULES[this.schedule].phrase}`;
  }

  get changes() {
    const off = [...this.pathwaysOff].map((id) => `${this.pathwayLabels.get(id) ?? id}: off`);
    return [...off, ...[...this.perturbations].map((id) => PERTURBATIONS[id].label)];
  }
}
