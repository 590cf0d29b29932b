#include "tests/fuzz/mutation_call.h"

namespace jot::test::mutation {

namespace {

Event event(int id, const Array<double>& a) { return {id, false, a.shape, a.elements()}; }

}  // namespace

bool ModelRun::step(const Step& s) {
  if (static_cast<size_t>(s.id) >= values.size()) values.resize(static_cast<size_t>(s.id) + 1);
  try {
    apply(s, values, program_.single);
  } catch (const Refused&) {
    outcome.events.push_back({s.id, true});
    return true;
  }
  if (s.what == Do::read) outcome.events.push_back(event(s.in[0], values[static_cast<size_t>(s.in[0])]));
  return false;
}

void ModelRun::call() {
  const Call& c = *program_.call;
  Values<double> args, results;
  for (int id : c.arguments) {
    args.push_back(values[static_cast<size_t>(id)]);
    if (!args.back().store) throw Unclear();
  }
  for (int id : c.captured)
    if (!values[static_cast<size_t>(id)].store) throw Unclear();
  bool jitted = c.levels[0].mode == Mode::jit;
  Values<double> kept = values;
  for (int i = 0; i < c.times; ++i) {
    // Of a jitted function the host does not run again.
    CallModel<double> model(c, program_.single, i == 0 || !jitted ? &outcome.events : nullptr);
    values = kept;
    results = model.run(0, values, args);
  }
  values = std::move(kept);
  outcome.cloned.assign(results.size(), 0);
  // These may show elements of an argument.
  if (c.levels[0].mode == Mode::functionalize || c.levels[0].mode == Mode::vmap)
    outcome.cloned.assign(results.size(), 1);
  for (size_t i = 0; i < results.size(); ++i) values[static_cast<size_t>(c.results[i])] = results[i];
}

Outcome ModelRun::finish() {
  for (size_t id = 0; id < values.size(); ++id)
    if (values[id].store) outcome.events.push_back(event(static_cast<int>(id), values[id]));
  return std::move(outcome);
}

Outcome run_model(const Program& p) {
  ModelRun run(p);
  for (const Step& s : p.before) run.step(s);
  if (p.call) run.call();
  for (const Step& s : p.after) run.step(s);
  return run.finish();
}

FunctionOutcome run_function(const Program& p) {
  ModelRun run(p);
  for (const Step& s : p.before) run.step(s);
  Call plain = *p.call;
  plain.levels.assign(1, {Mode::functionalize});
  Values<double> args, captured;
  FunctionOutcome r;
  for (int id : plain.arguments) args.push_back(run.values[static_cast<size_t>(id)]);
  auto read = [&](std::vector<Event>& to, const std::vector<int>& ids, const Values<double>& arrays) {
    for (size_t i = 0; i < arrays.size(); ++i) to.push_back(event(ids[i], arrays[i]));
  };
  auto captures = [&] {
    Values<double> arrays;
    for (int id : plain.captured) arrays.push_back(run.values[static_cast<size_t>(id)]);
    return arrays;
  };
  read(r.arguments, plain.arguments, args);
  read(r.captured, plain.captured, captures());
  CallModel<double> model(plain, p.single, nullptr);
  Values<double> results = model.run(0, run.values, args);
  read(r.results, plain.returned, results);
  read(r.arguments_after, plain.arguments, args);
  read(r.captured_after, plain.captured, captures());
  return r;
}

}  // namespace jot::test::mutation
