// Virtual patients: parameter draws written by Python (people.json and people.bin).

export class VirtualPatients {
  // `people`: { patients, spreads }; `draws`: values [name, patient] as 32-bit floats; `parameters`: of scenario.json.
  constructor({ people, draws }, parameters) {
    Object.assign(this, { count: people.patients, spreads: Object.entries(people.spreads), draws, parameters });
  }

  // Values { parameter: number } of each patient. A value of the scenario is the centre of a normal or lognormal
  // spread; with a uniform spread it is the same for all.
  values(scenarioValues) {
    const patients = Array.from({ length: this.count }, () => ({}));
    this.spreads.forEach(([name, kind], row) => {
      const usual = this.parameters[name].value;
      const set = scenarioValues[name];
      patients.forEach((patient, i) => {
        const drawn = this.draws[row * this.count + i];
        if (set === undefined || set === usual) patient[name] = drawn;
        else if (kind === "lognormal") patient[name] = (drawn / usual) * set;
        else patient[name] = kind === "normal" ? set + drawn - usual : set;
      });
    });
    return patients;
  }
}
