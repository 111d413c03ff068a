#include "cli/pipeline_graph.hpp"

namespace pystream::cli {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c == '"' ? "#quot;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  }
  return out;
}

std::string_view class_of(const Box& box) {
  switch (box.kind) {
    case Box::Kind::host:
      return "host";
    case Box::Kind::source:
      return "source";
    case Box::Kind::sink:
      return "sink";
    case Box::Kind::process:
      return "worker";
    case Box::Kind::pipeline:
      return "pipeline";
    default:
      return box.own_process ? "worker" : "stage";
  }
}

void write_box(const Box& box, const std::string& indent, std::string& out) {
  const std::string style = ":::" + std::string(class_of(box)) + "\n";
  if (box.kind == Box::Kind::handover) {
    out += indent + box.id + "((\" \"))" + style;
  } else if (box.is_leaf()) {
    const std::string type = box.type.empty() ? "" : "<br/><small>" + escaped(box.type) + "</small>";
    out += indent + box.id + "(\"" + escaped(box.name) + type + "\")" + style;
  } else {
    const std::string note = box.kind == Box::Kind::host      ? " (host)"
                             : box.kind == Box::Kind::process ? " (one process)"
                             : box.kind == Box::Kind::group   ? " (serial)"
                             : box.join                       ? " (" + frame_note(box) + ")"
                                                              : "";
    out += indent + "subgraph " + box.id + "[\"" + escaped(box.name + note) + "\"]\n" + indent + "  direction LR\n";
    for (const Box& inner : box.inside) {
      write_box(inner, indent + "  ", out);
    }
    out += indent + "end\n" + indent + "class " + box.id + " " + std::string(class_of(box)) + "\n";
  }
}

}  // namespace

std::string render_mermaid(const PipelineGraph& graph) {
  std::string out = "flowchart LR\n";
  for (const Box& box : graph.boxes) {
    write_box(box, "  ", out);
  }
  for (const Arrow& arrow : graph.arrows) {
    const std::string line = arrow.kind == Arrow::Kind::call ? " -.-> " : " --> ";
    out +=
        "  " + arrow.from + line + (arrow.label.empty() ? "" : "|\"" + escaped(arrow.label) + "\"| ") + arrow.to + "\n";
  }
  return out +
         "  classDef host fill:#f4f1ea,stroke:#8c7f5f,color:#1c2530\n"
         "  classDef worker fill:#e4eefb,stroke:#3f78c4,color:#1c2530\n"
         "  classDef stage fill:#ffffff,stroke:#8fa9c9,color:#1c2530\n"
         "  classDef source fill:#e3f4e8,stroke:#3c9a5f,color:#1c2530\n"
         "  classDef sink fill:#fdf0dc,stroke:#d08a2e,color:#1c2530\n"
         "  classDef pipeline fill:#fbfbfc,stroke:#9aa3ad,stroke-dasharray:4 3,color:#1c2530\n";
}

}  // namespace pystream::cli
