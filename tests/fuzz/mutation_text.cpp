#include <iterator>

#include "tests/fuzz/mutation_program.h"

namespace jot::test::mutation {

namespace {

constexpr const char* kNames[] = {
    "constant",    "zeros",     "add",           "sub",          "mul",          "maximum",
    "sin",         "scale",     "sum",           "clone",        "concat",       "where",
    "take",        "select",    "slice",         "narrow",       "transpose",    "permute",
    "movedim",     "t",         "view",          "reshape",      "flatten",      "expand",
    "squeeze",     "unsqueeze", "diagonal",      "detach",       "split",        "chunk",
    "unbind",      "index",     "contiguous",    "unflatten",    "unfold",       "as_strided",
    "add_",        "sub_",      "mul_",          "maximum_",     "add_number_",  "scale_",
    "divide_",     "neg_",      "sin_",          "square_",      "copy_",        "copy_number",
    "fill_",       "fill_0d",   "zero_",         "clamp_",       "masked_fill_", "masked_fill_tensor",
    "index_put_",  "assign",    "assign_number", "assign_taken", "index_add_",   "index_copy_",
    "index_fill_", "poke",      "read",          "drop"};
static_assert(std::size(kNames) == static_cast<size_t>(Do::drop) + 1);
constexpr const char* kModes[] = {"jit", "functionalize", "functionalize_views", "vmap", "grad", "jvp", "vjp"};

template <class T>
std::string list(const std::vector<T>& values, const char* prefix) {
  std::string s;
  for (const T& x : values) s += (s.empty() ? "" : ", ") + (prefix + std::to_string(x));
  return s;
}

std::string to_text(const Step& s, const char* indent) {
  std::string text = indent + ("%" + std::to_string(s.id)) + " = " + kNames[static_cast<size_t>(s.what)] + "(" +
                     list(s.in, "%") + ") [" + list(s.n, "") + "] " + std::to_string(s.x);
  return text + (s.worker ? " on another thread\n" : "\n");
}

}  // namespace

std::string to_text(const Program& p) {
  std::string text = "seed " + std::to_string(p.seed) + (p.single ? ", f32\n" : ", f64\n");
  for (const Step& s : p.before) text += to_text(s, "  ");
  if (p.call) {
    const Call& c = *p.call;
    text += "  " + list(c.results, "%") + " = ";
    for (const Call::Level& l : c.levels) {
      text += kModes[static_cast<size_t>(l.mode)];
      if (l.mode == Mode::vmap)
        text += " (in_dims " + list(l.in_dims, "") + (l.lanes_last ? ", out_dim -1" : ", out_dim 0") + ", chunk " +
                std::to_string(l.chunk) + ")";
      text += " ";
    }
    text += std::to_string(c.times) + " times f(" + list(c.arguments, "%") + "), captured " + list(c.captured, "%") +
            "\n    f(" + list(c.parameters, "%") + "):\n";
    for (const Step& s : c.body) text += to_text(s, "      ");
    text += "      return " + list(c.returned, "%") + "\n";
  }
  for (const Step& s : p.after) text += to_text(s, "  ");
  return text;
}

Program::Program(const Program& o)
    : seed(o.seed),
      single(o.single),
      before(o.before),
      call(o.call ? std::make_unique<Call>(*o.call) : nullptr),
      after(o.after),
      num_values(o.num_values) {}
Program& Program::operator=(Program o) {
  seed = o.seed;
  single = o.single;
  before = std::move(o.before);
  call = std::move(o.call);
  after = std::move(o.after);
  num_values = o.num_values;
  return *this;
}

}  // namespace jot::test::mutation
