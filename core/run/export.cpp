// Compiled functions as object files, shared libraries and C.
#include <algorithm>
#include <filesystem>
#include <set>

#include "backends/cpu/ship/c_names.h"
#include "backends/cpu/ship/casadi.h"
#include "backends/cpu/ship/export.h"
#include "core/io/file.h"
#include "core/run/program.h"
#include "ir/fork.h"
#include "ir/graph.h"
#include "jot/graphs.h"

namespace jot {

using detail::Program;

namespace {

struct Caller {
  std::string_view api;
  Location at;
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("[" + std::string(api) + "] " + what + jot::at(at));
  }
};

void check_name(const Caller& caller, bool right, const std::string& name, const std::string& what) {
  if (!right) caller.fail("\"" + name + "\" as " + what);
}

std::vector<std::string> names(const Caller& caller, const std::vector<std::string>& given, size_t count,
                               const char* what) {
  std::vector<std::string> all = given;
  if (all.empty())
    for (size_t i = 0; i < count; ++i) all.push_back(what + std::to_string(i));
  if (all.size() != count)
    caller.fail(std::to_string(all.size()) + " names of " + what + "puts: expected " + std::to_string(count) +
                ", or none");
  for (const std::string& n : all)
    check_name(caller, cpu::is_c_identifier(n), n,
               "the name of an " + std::string(what) + "put: expected an identifier of C");
  if (std::set<std::string>(all.begin(), all.end()).size() != all.size())
    caller.fail("two " + std::string(what) + "puts of one name");
  return all;
}

cpu::ExportedCode exported(const Caller& caller, const Program& program, const ExportOptions& options,
                           std::string name) {
  check_name(
      caller, cpu::is_free_c_name(name), name,
      "the name of the function; ExportOptions::name gives another: expected an identifier of C that is free beside "
      "its headers");
  const cpu::ExportedFunction f = program.exported(caller.api, caller.at, std::move(name),
                                                   names(caller, options.inputs, program.num_arguments(), "in"),
                                                   names(caller, options.outputs, program.num_outputs(), "out"));
  if (options.abi == Abi::plain) return cpu::export_plain(f, options.avx512, caller.api);
  return cpu::export_casadi(f, options.abi == Abi::acados, options.avx512, caller.api);
}

void write(const Caller& caller, const std::string& path, const void* bytes, size_t n) {
  const detail::FileContext context{caller.api, path, caller.at};
  detail::OutputFile file(context);
  file.write(bytes, n);
  file.complete();
}

}  // namespace

void Executable::export_object(const std::string& path, const ExportOptions& options, Location at) const {
  NoFork section;
  const Caller caller{"export_object", at};
  const std::string name = options.name.empty() ? std::filesystem::path(path).filename().string() : options.name;
  const cpu::ExportedCode made = exported(caller, *program_, options, name);
  const std::vector<std::byte> object = cpu::object_file(made.image);
  write(caller, path + ".o", object.data(), object.size());
  write(caller, path + ".h", made.header.data(), made.header.size());
}

void Executable::export_library(const std::string& path, const ExportOptions& options, Location at) const {
  NoFork section;
  const Caller caller{"export_library", at};
  const std::filesystem::path file(path);
  std::string name = options.name;
  if (name.empty()) {
    name = file.filename().string();
    name.resize(std::min(name.size(), name.find('.')));
    if (name.starts_with("lib")) name.erase(0, 3);
  }
  const cpu::ExportedCode made = exported(caller, *program_, options, name);
  const std::vector<std::byte> library = cpu::shared_object(made.image, file.filename().string());
  write(caller, path, library.data(), library.size());
  write(caller, file.parent_path() / (name + ".h"), made.header.data(), made.header.size());
}

std::string Executable::c_source(const std::string& name, const std::vector<std::string>& inputs,
                                 const std::vector<std::string>& outputs) const {
  const Caller caller{"c_source", Location()};
  auto checked = [&](const std::vector<std::string>& given, size_t count, const char* what) {
    return given.empty() ? given : names(caller, given, count, what);
  };
  return program_->c_source(name, checked(inputs, program_->num_arguments(), "in"),
                            checked(outputs, program_->num_outputs(), "out"));
}

}  // namespace jot
