#include <map>

#include "base/display_text.hpp"
#include "cli/pipeline_graph.hpp"
#include "cli/text.hpp"

namespace pystream::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string note(const Box& box) {
  switch (box.kind) {
    case Box::Kind::host:
      return "host";
    case Box::Kind::pipeline:
      return frame_note(box);
    case Box::Kind::process:
      return "serial, one process";
    case Box::Kind::group:
      return "serial";
    default:
      return box.own_process ? "process" : "";
  }
}

void add_boxes(const std::vector<Box>& boxes, const std::string& indent, Rows& rows) {
  std::vector<const Box*> shown;
  for (const Box& box : boxes) {
    if (box.kind != Box::Kind::handover) {
      shown.push_back(&box);
    }
  }
  for (const Box* box : shown) {
    const bool last = box == shown.back();
    rows.push_back({indent + (last ? "└─ " : "├─ ") + box->name, box->type, note(*box)});
    add_boxes(box->inside, indent + (last ? "   " : "│  "), rows);
  }
}

void collect_names(const std::vector<Box>& boxes, const std::string& row, std::map<std::string, std::string>& names) {
  for (const Box& box : boxes) {
    names[box.id] = box.own_process || row.empty() ? box.name : row;
    collect_names(box.inside, box.kind == Box::Kind::process ? box.name : row, names);
  }
}

}  // namespace

std::string render_text(const PipelineGraph& graph, const base::TextTable::Look& look) {
  Rows rows;
  add_boxes(graph.boxes, "", rows);
  std::string out = base::printable_line(graph.title) + "\n" + table(rows, 0, look);
  std::map<std::string, std::string> names;
  collect_names(graph.boxes, "", names);
  rows.clear();
  for (const Arrow& arrow : graph.arrows) {
    if (arrow.kind == Arrow::Kind::link) {
      rows.push_back({names[arrow.from] + " -> " + names[arrow.to], arrow.label});
    }
  }
  return rows.empty() ? out : out + "\nlinks\n" + table(rows, 2, look);
}

}  // namespace pystream::cli
