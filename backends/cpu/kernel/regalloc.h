// Register allocation of one straight walk over a kernel, done while its code is emitted.
//
// A value stays in its register until it is dead or evicted; the one whose next use is farthest goes first (Belady
// 1966). Values are SSA, so an evicted one is stored at most once; constants and arguments are never stored. The state
// of the registers at the head of a loop is restored at the end of each of its bodies. Everything is linear in the
// instructions.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "backends/cpu/kernel/kernel_ir.h"

namespace jot::cpu {

enum RegisterFile : uint8_t { kGpr, kVector, kMask };  // masks of AVX2 live in the vector file
inline constexpr int kFiles = 3;

// What the allocator must know of a target.
struct RegisterModel {
  std::array<uint32_t, kFiles> allowed{};    // registers it may use
  std::array<uint32_t, kFiles> preferred{};  // of these, the ones to take first
  int lanes = 1;
  bool mask_registers = true;  // false: masks are vectors

  RegisterFile file(KType t) const {
    return t == KType::scalar ? kGpr : t == KType::mask && mask_registers ? kMask : kVector;
  }
  int slot_bytes(KType t) const;
};

// When values are needed. "Next use" is the position of the next instruction that reads the value; for a variable also
// of the next `set`. The end of a loop uses all that the loop, or a later turn of it, uses from outside; its beginning
// uses what the loop uses.
class Liveness {
 public:
  static constexpr uint32_t kNever = 0xffffffff;

  Liveness(const Kernel& kernel, const RegisterModel& model);

  struct Carried {
    uint32_t value, first, after;  // first use in the body; first after the loop
  };
  struct Loop {
    uint32_t begin, end;
    std::vector<Carried> carried;
    std::array<int, kFiles> pressure{};  // most values of the body itself that live at once
  };

  // Bitcasts share the register of what they cast.
  uint32_t root(uint32_t v) const { return root_.empty() ? v : root_[v]; }
  uint32_t next(uint32_t i, int operand) const { return next_[i][static_cast<size_t>(operand)]; }
  uint32_t next_in_list(uint32_t i, uint32_t entry) const { return list_next_[next_[i][3] + entry]; }
  uint32_t first(uint32_t v) const { return first_[v]; }
  bool dead(uint32_t i) const { return dead_[i] != 0; }  // nothing needs the instruction
  const Loop& loop(uint32_t i) const { return loops_[loop_of_.at(i)]; }

 private:
  void read(uint32_t i, uint32_t v, uint32_t& next);
  void define(uint32_t v);
  void operands(uint32_t i);
  bool unused(uint32_t i) const;

  const Kernel& kernel_;
  const RegisterModel& model_;
  std::vector<uint32_t> root_;
  std::vector<std::array<uint32_t, 4>> next_;
  std::vector<uint32_t> list_next_, first_;
  std::vector<uint8_t> dead_;
  std::map<uint32_t, size_t> loop_of_;
  std::vector<Loop> loops_;
  struct Open {
    size_t loop;
    std::array<int, kFiles> live{};
  };
  std::vector<Open> open_;
};

// The spill area of a call.
class Frame {
 public:
  int32_t allocate(int bytes);
  void release(int32_t offset, int bytes) { free_[size_class(bytes)].push_back(offset); }
  // What is allocated so far is not given out again: routines use their slots whenever they are called.
  void keep() { free_ = {}; }
  int64_t size() const { return (end_ + 63) / 64 * 64; }

 private:
  static size_t size_class(int bytes) { return bytes <= 8 ? 0 : bytes <= 16 ? 1 : bytes <= 32 ? 2 : 3; }
  int64_t end_ = 0;
  std::array<std::vector<int32_t>, 4> free_;
};

// The code that the allocator asks for.
class SpillCode {
 public:
  virtual ~SpillCode() = default;
  virtual void move(uint32_t value, int to, int from) = 0;
  virtual void store(uint32_t value, int32_t slot, int from) = 0;
  virtual void load(uint32_t value, int to, int32_t slot) = 0;
  virtual void materialise(uint32_t value, int to) = 0;  // a constant or an argument
};

class Allocator {
 public:
  Allocator(const Kernel& kernel, const RegisterModel& model, Frame& frame, SpillCode& code);

  const Liveness& liveness() const { return live_; }
  uint32_t root(uint32_t v) const { return live_.root(v); }
  RegisterFile file(uint32_t v) const { return model_.file(kernel_.instrs[v].type); }

  // ---- one instruction. Values are roots. Registers that these functions return stay untouched until end().
  void begin(uint32_t i);
  int reg(uint32_t v) const { return reg_[v]; }        // or -1
  bool stored(uint32_t v) const { return valid_[v]; }  // slot(v) holds it
  int32_t slot(uint32_t v) const { return slot_[v]; }
  bool rematerialised(uint32_t v) const;  // neither needs to hold it
  bool dies(uint32_t v) const;            // with this instruction
  bool full(RegisterFile f) const { return (model_.allowed[f] & ~used_[f] & ~locked_[f]) == 0; }
  int use(uint32_t v);  // in a register
  int temporary(RegisterFile f);
  void drop(RegisterFile f, int temporary);  // before end()
  void release_operands();                   // results may take the registers of operands that die
  int define(uint32_t v);
  int define_from(uint32_t v, uint32_t operand);                      // the result begins as a copy of an operand
  void adopt(uint32_t v, int temporary) { define_at(v, temporary); }  // a temporary becomes the result
  void copy(uint32_t v, int to);  // the value, not its home, to a register that is free
  void end();
  // Operands of a list are announced in pieces between begin and end; from `keep` on they will be announced again.
  void begin_entries(uint32_t i, uint32_t first, uint32_t count, uint32_t keep = 0xffffffff);
  void end_entries();

  // ---- variables
  void set(uint32_t variable, uint32_t value);  // replaces it; the value is an operand of the instruction
  int use_for_update(uint32_t variable);        // its register, about to be changed

  // ---- calls
  void clobber(RegisterFile f, uint32_t registers);  // moves or stores what lives in them
  void define_at(uint32_t v, int reg);
  uint32_t touched(RegisterFile f) const { return touched_[f]; }

  // ---- loops
  void enter_loop(uint32_t i);  // defines the index
  void end_body(bool again);    // again: another body of the same loop follows
  void leave_loop();
  void set_tail(bool tail) { tail_ = tail; }  // a set reads the variable, for its dead lanes

 private:
  struct Registers {
    std::array<std::array<uint32_t, 32>, kFiles> holder;
    std::array<uint32_t, kFiles> used;
    std::array<uint32_t, kFiles> stored;  // the slot held the value too
  };
  static constexpr uint32_t kTemporary = 0xfffffffe;

  bool killed(uint32_t v) const;  // the value is dead, though a variable lives on
  int take(RegisterFile f);
  int preferred(uint32_t v);
  void bind(uint32_t v, int r);
  void unbind(uint32_t v);
  void forget(uint32_t v);  // it is dead
  void free_slots();
  void evict(RegisterFile f, int r);
  void save(uint32_t v);
  void fetch(uint32_t v, int r);
  void settle(uint32_t v);  // after its use: forget it, or lose the register of a killed variable
  int count(RegisterFile f) const;
  void make_room(const Liveness::Loop& loop, RegisterFile f);
  void preload(const Liveness::Loop& loop);
  void restore(RegisterFile f, const Registers& to);

  const Kernel& kernel_;
  const RegisterModel& model_;
  Frame& frame_;
  SpillCode& code_;
  Liveness live_;
  std::vector<int8_t> reg_;
  std::vector<uint8_t> valid_;
  std::vector<int32_t> slot_;
  std::vector<uint32_t> next_use_;
  std::array<std::array<uint32_t, 32>, kFiles> holder_{};
  std::array<uint32_t, kFiles> used_{}, locked_{}, touched_{};
  std::vector<uint32_t> operands_, entries_, unused_;
  std::vector<std::pair<int32_t, int>> freed_;  // slots, with their sizes
  std::array<uint32_t, kFiles> before_entries_{};
  bool released_ = false, tail_ = false;
  struct OpenLoop {
    const Liveness::Loop* loop;
    Registers head;
  };
  std::vector<OpenLoop> loops_;
};

}  // namespace jot::cpu
