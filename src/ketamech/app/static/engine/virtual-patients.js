// Virtual patients: parameter draws written by Python (people.json and people.bin).

export class VirtualPatients {
  // `people`: { patients, spreads }; `draws`: values [name, patient] as 32-bit floats; `parameters`: of scenario.json.
  constructor({ people, draws }, parameters) {
    Object.assign(this, { count: people.patients, spreads: Object.entries(people.spreads), draws, parameters });
  }

  // Values (Map of parameter to number) of each patient, those of the scenario included. A value of the scenario is the
  // centre of a normal or lognormal spread; with a uniform spread it is the same for all.
  values(scenarioValues) {
    const patients = Array.from({ length: this.count }, () => new Map(scenarioValues));
    this.spreads.forEach(([name, kind], row) => {
      const usual = this.parameters[name].value;
      const set = scenarioValues.get(name);
      patients.forEach((patient, i) => {
        const drawn = this.draws[row * this.count + i];
        if (set === undefined || set === usual) patient.set(name, drawn);
        else if (kind === "lognormal") patient.set(name, (drawn / usual) * set);
        else if (kind === "normal") patient.set(name, set + drawn - usual);
      });
    });
    return patients;
  }
}
