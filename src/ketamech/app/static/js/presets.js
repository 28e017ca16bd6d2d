// Cases to begin with.

const person = { weight: "70 kg" };
export const PRESETS = [
  { title: "Ketamine infusion", treatments: ["racemic 0.5 mg/kg IV over 40 min"], person },
  { title: "Esketamine spray, eight weeks", treatments: ["esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks"], person },
  { title: "Six infusions", treatments: ["racemic 0.5 mg/kg IV over 40 min 3 times a week for 2 weeks"], person },
  { title: "Ketamine tablets, daily", treatments: ["racemic 50 mg oral daily for 4 weeks"], person },
  { title: "Anaesthetic injection", treatments: ["racemic 2 mg/kg IV over 1 min"], person, horizon: "14 days" },
  { title: "Long infusion for pain", treatments: ["esketamine 5 mg/h IV over 24 h", "esketamine 10 mg/h IV over 24 h at 24 h", "esketamine 15 mg/h IV over 24 h at 48 h", "esketamine 22 mg/h IV over 28.8 h at 72 h"], person: { weight: "70 kg", stress: 0.5 }, horizon: "84 days" },
  { title: "Antidepressant and talk therapy", treatments: ["antidepressant daily for 12 weeks", "psychotherapy weekly for 12 weeks"], person: {}, horizon: "84 days" },
  { title: "ECT", treatments: ["ECT twice weekly for 4 weeks"], person: {} },
  { title: "TMS", treatments: ["TMS 5 times a week for 6 weeks"], person: {} },
  { title: "Infusion under propofol", treatments: ["racemic 0.5 mg/kg IV over 40 min at 10 min", "general anaesthesia over 90 min"], person },
  { title: "Infusion, habenula off", treatments: ["racemic 0.5 mg/kg IV over 40 min"], person, pathways: { habenula: false } },
  { title: "Midazolam, as a control", treatments: ["midazolam 0.045 mg/kg IV over 40 min"], person },
];
