#include "backends/cpu/kernel/hoist.h"

#include <vector>

namespace jot::cpu {
namespace {

bool leaves_loops(KOp op) { return op == KOp::loop || op == KOp::wloop; }

class Hoist {
 public:
  Hoist(const Kernel& k, bool loads)
      : k_(k), loads_(loads), place_(k.instrs.size()), written_(static_cast<size_t>(k.num_args), 0) {}

  Kernel run() {
    for (const KInstr& in : k_.instrs)
      if (in.op >= KOp::store && in.op <= KOp::store_one) written_[argument(in.a)] = 1;
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) place(i);
    return rebuilt();
  }

 private:
  // A place: the loop whose body an instruction stands in, by its depth among the open loops. 0: outside all.
  struct Place {
    uint32_t depth = 0;
    uint32_t before = kNone;  // the loop that it moves before; kNone: it stays
  };

  size_t argument(uint32_t pointer) const {
    while (k_.instrs[pointer].op == KOp::iadd || k_.instrs[pointer].op == KOp::isub) pointer = k_.instrs[pointer].a;
    return k_.instrs[pointer].op == KOp::arg ? static_cast<size_t>(k_.instrs[pointer].imm) : 0;
  }

  bool may_move(const KInstr& in) const {
    const KKind kind = info(in.op).kind;
    if (in.op == KOp::any || in.op == KOp::gather) return false;
    if (kind == KKind::pure) return true;
    return loads_ && (kind == KKind::load || in.op == KOp::load_rows) && argument(in.a) != 0 && !written_[0] &&
           !written_[argument(in.a)];
  }

  void place(uint32_t i) {
    const KInstr& in = k_.instrs[i];
    if (in.op == KOp::endloop) {
      open_.pop_back();
      place_[i].depth = static_cast<uint32_t>(open_.size());
      return;
    }
    uint32_t depth = static_cast<uint32_t>(open_.size()), least = 0;
    if (is_loop(in.op)) {
      open_.push_back(i);
      place_[i].depth = static_cast<uint32_t>(open_.size());  // its index belongs to the body
      return;
    }
    place_[i].depth = depth;
    if (in.op == KOp::row) {
      place_[i] = place_[in.a];
      return;
    }
    if (depth == 0 || !leaves_loops(k_.instrs[open_.back()].op) || !may_move(in)) return;
    bool variable = false;
    for_each_operand(k_, in, [&](uint32_t v) {
      least = std::max(least, place_[v].depth);
      variable |= k_.instrs[v].op == KOp::var;
    });
    if (variable) return;
    while (depth > least && leaves_loops(k_.instrs[open_[depth - 1]].op)) --depth;
    if (depth == place_[i].depth) return;
    place_[i] = {depth, open_[depth]};
  }

  Kernel rebuilt() const {
    std::vector<std::vector<uint32_t>> before(k_.instrs.size());
    for (uint32_t i = 0; i < k_.instrs.size(); ++i)
      if (place_[i].before != kNone) before[place_[i].before].push_back(i);
    Kernel out{.lanes = k_.lanes, .num_args = k_.num_args, .instrs = {}, .lists = k_.lists, .origins = {}};
    out.instrs.reserve(k_.instrs.size());
    std::vector<uint32_t> map(k_.instrs.size(), kNone);
    auto append = [&](uint32_t i) {
      KInstr in = k_.instrs[i];
      for (uint32_t* v : {&in.a, &in.b, &in.c})
        if (*v != kNone) *v = map[*v];
      if (in.d != kNone && in.op != KOp::store_rows) in.d = map[in.d];
      map[i] = static_cast<uint32_t>(out.instrs.size());
      out.instrs.push_back(in);
      if (!k_.origins.empty()) out.origins.push_back(k_.origins[i]);
    };
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) {
      for (uint32_t early : before[i]) append(early);
      if (place_[i].before == kNone) append(i);
    }
    for (uint32_t& v : out.lists) v = map[v];
    for (const auto& [instruction, node] : k_.further_origins) out.further_origins.emplace_back(map[instruction], node);
    return out;
  }

  const Kernel& k_;
  bool loads_;
  std::vector<Place> place_;
  std::vector<uint8_t> written_;  // by argument; 0: one that is not known
  std::vector<uint32_t> open_;
};

}  // namespace

Kernel hoist(const Kernel& kernel, bool loads) { return Hoist(kernel, loads).run(); }

}  // namespace jot::cpu
