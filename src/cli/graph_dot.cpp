#include "base/escaped_text.hpp"
#include "cli/pipeline_graph.hpp"

namespace pystream::cli {
namespace {

constexpr std::string_view kFont = "Helvetica,Arial,sans-serif";

std::string small(std::string_view text) {
  return "<font point-size=\"10\" color=\"#5f6b7a\">" + base::html_text(text) + "</font>";
}

/// A worker is blue whatever it hosts, except that the two ends stand out.
std::string leaf_style(const Box& box) {
  if (box.kind == Box::Kind::source) {
    return "fillcolor=\"#e3f4e8\", color=\"#3c9a5f\"";
  }
  if (box.kind == Box::Kind::sink) {
    return "fillcolor=\"#fdf0dc\", color=\"#d08a2e\"";
  }
  if (box.kind == Box::Kind::user) {
    return "fillcolor=\"#f3e8fb\", color=\"#8a4fc0\"";
  }
  return box.own_process ? "fillcolor=\"#e4eefb\", color=\"#3f78c4\"" : "fillcolor=\"#ffffff\", color=\"#8fa9c9\"";
}

std::string cluster_style(const Box& box) {
  if (box.kind == Box::Kind::host) {
    return "style=\"filled\"; fillcolor=\"#f4f1ea\"; color=\"#8c7f5f\";";
  }
  if (box.kind == Box::Kind::process) {
    return "style=\"rounded,filled\"; fillcolor=\"#e4eefb\"; color=\"#3f78c4\";";
  }
  if (box.kind == Box::Kind::group) {
    return "style=\"rounded,filled\"; fillcolor=\"#f3f8fe\"; color=\"#8fa9c9\";";
  }
  return "style=\"rounded,filled,dashed\"; fillcolor=\"#fbfbfc\"; color=\"#9aa3ad\";";
}

std::string cluster_note(const Box& box) {
  switch (box.kind) {
    case Box::Kind::host:
      return "host";
    case Box::Kind::process:
      return "one process";
    case Box::Kind::group:
      return "serial";
    default:
      return frame_note(box);
  }
}

void write_box(const Box& box, const std::string& indent, std::string& out) {
  if (box.kind == Box::Kind::handover) {
    out += indent + box.id +
           " [shape=circle, fixedsize=true, width=0.14, height=0.14, label=\"\", fillcolor=\"#3f78c4\", "
           "color=\"#3f78c4\"];\n";
  } else if (box.is_leaf()) {
    out += indent + box.id + " [label=<<b>" + base::html_text(box.name) + "</b>" +
           (box.type.empty() ? "" : "<br/>" + small(box.type)) + ">, " + leaf_style(box) + "];\n";
  } else {
    out += indent + "subgraph cluster_" + box.id + " {\n" + indent + "  label=<<b>" + base::html_text(box.name) +
           "</b>  " + small(cluster_note(box)) + ">; labeljust=l; labelloc=t; margin=12; " + cluster_style(box) + "\n";
    for (const Box& inner : box.inside) {
      write_box(inner, indent + "  ", out);
    }
    out += indent + "}\n";
  }
}

}  // namespace

std::string render_dot(const PipelineGraph& graph) {
  std::string out = "digraph pipeline {\n  graph [rankdir=LR, fontname=\"" + std::string(kFont) +
                    "\", fontsize=12, nodesep=0.3, ranksep=0.45, pad=0.2];\n  node [shape=box, "
                    "style=\"rounded,filled\", fontname=\"" +
                    std::string(kFont) + "\", fontsize=12, margin=\"0.16,0.09\", height=0.4];\n  edge [fontname=\"" +
                    std::string(kFont) + "\", fontsize=10, color=\"#3b4652\", fontcolor=\"#5f6b7a\", arrowsize=0.7];\n";
  out += "  label=<" + small(graph.title) + ">; labelloc=b;\n";
  for (const Box& box : graph.boxes) {
    write_box(box, "  ", out);
  }
  for (const Arrow& arrow : graph.arrows) {
    out += "  " + arrow.from + " -> " + arrow.to;
    if (arrow.kind == Arrow::Kind::call) {
      out += " [color=\"#8fa9c9\", arrowsize=0.5]";
    } else if (!arrow.label.empty()) {
      out += " [label=<" + base::html_text(arrow.label) + ">]";
    }
    out += ";\n";
  }
  return out + "}\n";
}

}  // namespace pystream::cli
