// The compiled model: drug-free steady states, and integration of patients. Arguments are laid out in the memory of the
// WebAssembly module; pointers are numbers, counts are BigInt. `tables` is kernel.json, written by model_tables.py.

const PAGE = 65536; // bytes
const ALIGNMENT = 64; // bytes

export class Kernel {
  constructor(instance, tables) {
    this.code = instance.exports;
    this.tables = tables;
  }

  static async load(module, tables) {
    return new Kernel(await WebAssembly.instantiate(module, {}), tables);
  }

  // The kernel for runs of which only these outputs are read: states on which they do not depend are left out of the
  // error of a step, and are not valid.
  within(outputs) {
    const scope = this.tables.scopes.find((one) => outputs.every((name) => one.outputs.includes(name)));
    if (!scope) return this;
    const { baseline_rows, left_out } = scope;
    const sinks = this.tables.sinks.map((isSink, i) => isSink || left_out[i]);
    return new Kernel({ exports: this.code }, { ...this.tables, baseline_rows, left_out, sinks });
  }

  get stateCount() {
    return this.tables.guess.length;
  }

  get inputCount() {
    return this.tables.inputs.length + this.tables.baseline_rows.length;
  }

  // Drug-free steady state of each patient. `inputs` [patient, input]; its baseline values are computed.
  // Returns { state, inputs, settled }: `settled` [patient] is true where a steady state was found.
  settle(inputs, count) {
    const memory = new Memory(this.code);
    const { guess, baseline_rows: source, steady_state_tolerance: tolerance } = this.tables;
    const place = {
      inputs: memory.floats(inputs),
      state: memory.floats(count * this.stateCount),
      guess: memory.floats(guess),
      source: memory.integers(source),
      change: memory.floats(Array(count).fill(Infinity)),
    };
    this.run(memory, "settle", 0, 0, [place.inputs, place.state, place.guess, place.source], place.change, count);
    const change = memory.read(place.change, count);
    return {
      state: memory.read(place.state, count * this.stateCount),
      inputs: memory.read(place.inputs, inputs.length),
      settled: Array.from(change, (value) => value < tolerance),
    };
  }

  // Integrates each patient from `state` [patient, state] to the last of `times` (h), with `events` [patient] of
  // { time, kind, state, size } in order of time. Returns { values, state, status }: values [patient, time, output] are
  // NaN for a patient whose `status` is not "ok".
  follow({ inputs, state, events, times, outputs, tolerance }) {
    const { settings, report, not_reached: notReached, ok, status, left_out: isLeftOut } = this.tables;
    const count = events.length;
    const memory = new Memory(this.code);
    const counted = events.map((own) => own.filter((row) => !isLeftOut[row.state]));
    const rows = counted.flat();
    const first = [0];
    for (const own of counted) first.push(first.at(-1) + own.length);
    const clock = events.map((own) => Math.min(times[0], own.length ? own[0].time : Infinity));
    const size = count * times.length * outputs.length;
    const reports = Array.from({ length: count }, () => [notReached, 0, NaN, -1, 0]).flat();
    const place = {
      settings: memory.floats([tolerance, ...settings.slice(1)]),
      inputs: memory.floats(inputs),
      state: memory.floats(state),
      inflow: memory.floats(count * this.stateCount),
      clock: memory.floats(clock),
      step: memory.floats(Array(count).fill(settings[1])),
      first: memory.integers(first),
      time: memory.floats(rows.map((row) => row.time)),
      kind: memory.integers(rows.map((row) => row.kind)),
      target: memory.integers(rows.map((row) => row.state)),
      size: memory.floats(rows.map((row) => row.size)),
      times: memory.floats(times),
    };
    const wanted = memory.integers(outputs.map((name) => this.tables.outputs[name]));
    const values = memory.floats(size);
    const stored = memory.floats(reports);
    const shared = [...Object.values(place), 0n, wanted, values]; // 0: the same times for all patients
    this.run(memory, "follow", times.length, outputs.length, shared, stored, count);
    const found = memory.read(values, size);
    const codes = memory.read(stored, reports.length).filter((_, i) => i % report.length === 0);
    codes.forEach((code, i) => {
      if (code !== ok) found.fill(NaN, i * times.length * outputs.length, (i + 1) * times.length * outputs.length);
    });
    return {
      values: found,
      state: memory.read(place.state, state.length),
      status: Array.from(codes, (code) => status[code]),
    };
  }

  run(memory, task, times, wanted, shared, report, count) {
    const { lanes, rows, lane_integers: integers, sizes, size_of: index } = this.tables;
    const { left_out: isLeftOut, left_out_row: mask } = this.tables;
    const own = sizes.slice();
    own[index.times] = times;
    own[index.wanted] = wanted;
    const workspace = Array(rows * lanes).fill(0);
    isLeftOut.forEach((value, i) => {
      const start = (mask + i) * lanes;
      workspace.fill(Number(value), start, start + lanes);
    });
    const lane = [memory.floats(workspace), memory.integers(integers * lanes), memory.integers(own)];
    const queue = [memory.integers(1), memory.integers(1), BigInt(count)];
    this.code[task](...lane, ...shared, ...queue, report);
  }
}

// Places arrays one after another above the data of the module; a new one begins again at the start.
class Memory {
  constructor(code) {
    this.memory = code.memory;
    this.end = code.__heap_base.value;
  }

  // The address of an array of `bytes`, filled with zeros.
  place(bytes) {
    const start = Math.ceil(this.end / ALIGNMENT) * ALIGNMENT;
    this.end = start + Math.max(bytes, 8);
    const missing = this.end - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    new Uint8Array(this.memory.buffer, start, this.end - start).fill(0);
    return start;
  }

  // `content`: numbers, or how many zeros.
  floats(content) {
    const length = content.length ?? content;
    const start = this.place(8 * length);
    if (content.length) new Float64Array(this.memory.buffer, start, length).set(content);
    return start;
  }

  integers(content) {
    const length = content.length ?? content;
    const start = this.place(8 * length);
    if (content.length) new BigInt64Array(this.memory.buffer, start, length).set(content.map(BigInt));
    return start;
  }

  read(start, length) {
    return new Float64Array(this.memory.buffer, start, length).slice();
  }
}
