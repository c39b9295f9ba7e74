// SPDX-License-Identifier: Apache-2.0
// A mesh of routers as hardware builds it, which the model of models/mesh is held against: routes along the row first,
// then along the column; an input FIFO for each neighbour; credits; round-robin arbitration at each output.
//
// A router sends at most one vector a cycle through each output. A vector that is sent in cycle s is at the head of an
// empty FIFO in cycle s + 1. A vector that leaves a FIFO in cycle l gives its credit back, which the router before it
// can use from cycle l + 1 on. A PE has its vectors waiting in order; the head of them competes like that of a FIFO.

/* verilator lint_off DECLFILENAME */
package mesh_types;
  localparam int EAST = 0, WEST = 1, SOUTH = 2, NORTH = 3, LOCAL = 4, PORTS = 5;
  typedef struct packed {
    logic [7:0] x, y;   // of the destination
    logic [15:0] tag;   // what the test bench knows the vector by
  } vector_t;
endpackage

module mesh_fifo
  import mesh_types::*;
#(
    parameter int DEPTH = 2
) (
    input logic clock,
    input logic reset,
    input logic push,
    input vector_t pushed,
    input logic pop,
    output logic valid,
    output vector_t head
);
  localparam int BITS = $clog2(DEPTH + 1);
  localparam int INDEX_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
  vector_t entries[DEPTH];
  logic [BITS-1:0] count;

  assign valid = count != 0;
  assign head  = entries[0];

  wire [BITS-1:0] left = count - BITS'(pop);
  always_ff @(posedge clock) begin
    if (reset) begin
      count <= 0;
    end else begin
      if (pop) for (int i = 0; i + 1 < DEPTH; ++i) entries[i] <= entries[i+1];
      if (push) entries[INDEX_BITS'(left)] <= pushed;
      count <= left + BITS'(push);
      if (push && int'(left) == DEPTH) $fatal(1, "a vector without a credit");
    end
  end
endmodule

module mesh_router
  import mesh_types::*;
#(
    parameter int X = 0,
    parameter int Y = 0,
    parameter int DEPTH = 2,
    parameter bit [3:0] NEIGHBOURS = 4'b1111  // whether there is one to the east, west, south, north
) (
    input logic clock,
    input logic reset,
    // By direction: vectors that come in, and those whose place in our FIFO is free again.
    input logic in_valid[4],
    input vector_t in_vector[4],
    output logic in_credit[4],
    // By direction: vectors that go out, and places that the neighbour's FIFO has got back.
    output logic out_valid[4],
    output vector_t out_vector[4],
    input logic out_credit[4],
    // The PE.
    input logic source_valid,
    input vector_t source_vector,
    output logic source_taken,
    output logic eject_valid,
    output vector_t eject_vector
);
  localparam int CREDIT_BITS = $clog2(DEPTH + 1);

  logic head_valid[PORTS];
  vector_t head[PORTS];
  logic pop[PORTS];
  logic [2:0] wanted[PORTS];

  for (genvar i = 0; i < 4; ++i) begin : input_fifo
    mesh_fifo #(.DEPTH(DEPTH)) fifo (
        .clock,
        .reset,
        .push(in_valid[i]),
        .pushed(in_vector[i]),
        .pop(pop[i]),
        .valid(head_valid[i]),
        .head(head[i])
    );
    assign in_credit[i] = pop[i];
  end
  assign head_valid[LOCAL] = source_valid;
  assign head[LOCAL] = source_vector;
  assign source_taken = pop[LOCAL];

  for (genvar i = 0; i < PORTS; ++i) begin : route
    always_comb begin
      if (int'(head[i].x) > X) wanted[i] = 3'(EAST);
      else if (int'(head[i].x) < X) wanted[i] = 3'(WEST);
      else if (int'(head[i].y) > Y) wanted[i] = 3'(SOUTH);
      else if (int'(head[i].y) < Y) wanted[i] = 3'(NORTH);
      else wanted[i] = 3'(LOCAL);
    end
  end

  logic [CREDIT_BITS-1:0] credits[4];
  logic [2:0] next_input[PORTS];  // which input has the first choice
  logic granted[PORTS];
  logic [2:0] grant[PORTS];

  always_comb begin
    for (int i = 0; i < PORTS; ++i) pop[i] = 0;
    for (int o = 0; o < PORTS; ++o) begin
      granted[o] = 0;
      grant[o]   = 0;
      if (o == LOCAL || (NEIGHBOURS[o] && credits[o] != 0)) begin
        for (int k = PORTS - 1; k >= 0; --k) begin
          automatic logic [2:0] i = 3'((int'(next_input[o]) + k) % PORTS);
          if (head_valid[i] && int'(wanted[i]) == o) begin
            granted[o] = 1;
            grant[o]   = i;
          end
        end
        if (granted[o]) pop[grant[o]] = 1;
      end
    end
  end

  for (genvar o = 0; o < 4; ++o) begin : output_link
    assign out_valid[o]  = granted[o];
    assign out_vector[o] = head[grant[o]];
  end
  assign eject_valid  = granted[LOCAL];
  assign eject_vector = head[grant[LOCAL]];

  always_ff @(posedge clock) begin
    for (int o = 0; o < PORTS; ++o) begin
      if (reset) next_input[o] <= 0;
      else if (granted[o]) next_input[o] <= 3'((int'(grant[o]) + 1) % PORTS);
    end
    for (int o = 0; o < 4; ++o) begin
      if (reset) credits[o] <= CREDIT_BITS'(DEPTH);
      else credits[o] <= credits[o] - CREDIT_BITS'(granted[o]) + CREDIT_BITS'(out_credit[o]);
    end
  end
endmodule

module mesh
  import mesh_types::*;
#(
    parameter int ROWS = 8,
    parameter int COLUMNS = 8,
    parameter int DEPTH = 2
) (
    input logic clock,
    input logic reset,
    input logic source_valid[ROWS*COLUMNS],
    input logic [31:0] source_vector[ROWS*COLUMNS],
    output logic source_taken[ROWS*COLUMNS],
    output logic eject_valid[ROWS*COLUMNS],
    output logic [31:0] eject_vector[ROWS*COLUMNS]
);
  logic valid[ROWS*COLUMNS][4];
  vector_t vector[ROWS*COLUMNS][4];
  logic credit[ROWS*COLUMNS][4];

  for (genvar y = 0; y < ROWS; ++y) begin : row
    for (genvar x = 0; x < COLUMNS; ++x) begin : column
      localparam int N = y * COLUMNS + x;
      localparam bit [3:0] NEIGHBOURS = {y > 0, y + 1 < ROWS, x > 0, x + 1 < COLUMNS};
      logic in_valid[4];
      vector_t in_vector[4];
      logic out_credit[4];
      // What comes from the east has been sent west, and so on.
      for (genvar d = 0; d < 4; ++d) begin : neighbour
        localparam int OTHER = d == EAST ? N + 1 : d == WEST ? N - 1 : d == SOUTH ? N + COLUMNS : N - COLUMNS;
        localparam int BACK = d == EAST ? WEST : d == WEST ? EAST : d == SOUTH ? NORTH : SOUTH;
        if (NEIGHBOURS[d]) begin : connected
          assign in_valid[d] = valid[OTHER][BACK];
          assign in_vector[d] = vector[OTHER][BACK];
          assign out_credit[d] = credit[OTHER][BACK];
        end else begin : edge_of_array
          assign in_valid[d] = 0;
          assign in_vector[d] = '0;
          assign out_credit[d] = 0;
        end
      end
      mesh_router #(.X(x), .Y(y), .DEPTH(DEPTH), .NEIGHBOURS(NEIGHBOURS)) router (
          .clock,
          .reset,
          .in_valid,
          .in_vector,
          .in_credit(credit[N]),
          .out_valid(valid[N]),
          .out_vector(vector[N]),
          .out_credit,
          .source_valid(source_valid[N]),
          .source_vector(vector_t'(source_vector[N])),
          .source_taken(source_taken[N]),
          .eject_valid(eject_valid[N]),
          .eject_vector(eject_vector[N])
      );
    end
  end
endmodule
