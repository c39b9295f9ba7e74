// SPDX-License-Identifier: Apache-2.0
// A mesh of routers as hardware builds it, which the model of models/mesh is held against.
//
// Routes go along the row first, then along the column. Each router has a FIFO of DEPTH vectors for each neighbour and
// an arbiter for each output, which serves the inputs in turn. A vector is PHITS words, one a cycle, and is not
// interrupted on a link. It is sent when the next FIFO has room for all of it; its first word may leave that FIFO before
// its last one is in. A word that is sent in cycle s is at the head of an empty FIFO in cycle s + LATENCY. When the last
// word leaves a FIFO in cycle l, the router before may use the place from cycle l + 1 on.
//
// All routers are in one module, in arrays by router (row-major) and port: Verilator makes one loop of them, where it
// would make a function of each instance of a module.
module mesh #(
    parameter int ROWS = 4,
    parameter int COLUMNS = 4,
    parameter int DEPTH = 2,
    parameter int PHITS = 1,
    parameter int LATENCY = 1,
    localparam int ROUTERS = ROWS * COLUMNS
) (
    input logic clock,
    input logic reset,
    // By PE. A word is the destination's column (bits 31 to 24) and row (23 to 16) and what the test bench knows the
    // vector by.
    input logic source_valid[ROUTERS],
    input logic [31:0] source_word[ROUTERS],
    output logic source_taken[ROUTERS],  // the last word of the vector goes in this cycle
    output logic eject_valid[ROUTERS],   // the last word of a vector comes in this cycle
    output logic [31:0] eject_word[ROUTERS]
);
  // Ports of a router. Those of links come first: what goes east comes in from the west.
  localparam int EAST = 0, WEST = 1, SOUTH = 2, NORTH = 3, LINKS = 4, PE = 4, PORTS = 5;
  localparam int WORDS = DEPTH * PHITS;  // of a FIFO
  localparam int WORD_BITS = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam int PHIT_BITS = $clog2(PHITS + 1);
  localparam int CREDIT_BITS = $clog2(DEPTH + 1);
  localparam int STAGES = LATENCY > 1 ? LATENCY - 1 : 1;  // registers of a link; the FIFO is the last one

  typedef logic [31:0] word_t;
  typedef logic [2:0] port_t;
  typedef struct packed {
    logic [WORD_BITS-1:0] first;
    logic [WORD_BITS:0] count;
  } fifo_t;
  // An output keeps to its input until it has sent all words of a vector.
  typedef struct packed {
    logic [PHIT_BITS-1:0] words_left;
    port_t held_input;
    port_t next_input;  // has the first choice
    logic [CREDIT_BITS-1:0] credits;
  } output_t;

  fifo_t fifo[ROUTERS][LINKS], fifo_next[ROUTERS][LINKS];
  word_t fifo_word[ROUTERS][LINKS][WORDS], fifo_word_next[ROUTERS][LINKS][WORDS];
  output_t out[ROUTERS][PORTS], out_next[ROUTERS][PORTS];
  logic stage_valid[ROUTERS][LINKS][STAGES], stage_valid_next[ROUTERS][LINKS][STAGES];
  word_t stage_word[ROUTERS][LINKS][STAGES], stage_word_next[ROUTERS][LINKS][STAGES];

  // What the routers decide in this cycle.
  logic [PORTS-1:0] head_valid[ROUTERS];  // inputs with a word
  word_t head[ROUTERS][PORTS];
  logic [PORTS-1:0] held[ROUTERS];  // inputs that an output keeps to
  logic [PORTS-1:0] asking[ROUTERS][PORTS];  // by output: inputs at whose head a vector begins that goes there
  logic begins[ROUTERS][PORTS], sends[ROUTERS][PORTS], ends[ROUTERS][PORTS];
  port_t chosen[ROUTERS][PORTS];

  function automatic int neighbour(int router, int port);
    return port == EAST ? router + 1 : port == WEST ? router - 1 : port == SOUTH ? router + COLUMNS : router - COLUMNS;
  endfunction

  function automatic int opposite(int port);
    return port == EAST ? WEST : port == WEST ? EAST : port == SOUTH ? NORTH : SOUTH;
  endfunction

  function automatic logic has_neighbour(int router, int port);
    return port == EAST ? router % COLUMNS + 1 < COLUMNS :
           port == WEST ? router % COLUMNS > 0 :
           port == SOUTH ? router + COLUMNS < ROUTERS : router >= COLUMNS;
  endfunction

  function automatic int route(int router, logic [15:0] to);
    if (int'(to[15:8]) > router % COLUMNS) return EAST;
    if (int'(to[15:8]) < router % COLUMNS) return WEST;
    if (int'(to[7:0]) > router / COLUMNS) return SOUTH;
    if (int'(to[7:0]) < router / COLUMNS) return NORTH;
    return PE;
  endfunction

  // The first input from `first` on, in turn, that asks.
  function automatic port_t in_turn(logic [PORTS-1:0] inputs, port_t first);
    for (int k = 0; k < PORTS; ++k) begin
      if (inputs[(int'(first)+k)%PORTS]) return 3'((int'(first) + k) % PORTS);
    end
    return first;
  endfunction

  function automatic logic [WORD_BITS-1:0] place(logic [WORD_BITS-1:0] first, int words);
    return WORD_BITS'((int'(first) + words) % WORDS);
  endfunction

  always_comb begin : decide
    held = '{default: '0};
    asking = '{default: '{default: '0}};
    for (int n = 0; n < ROUTERS; ++n) begin
      for (int i = 0; i < LINKS; ++i) begin
        head_valid[n][i] = fifo[n][i].count != 0;
        head[n][i] = fifo_word[n][i][fifo[n][i].first];
      end
      head_valid[n][PE] = source_valid[n];
      head[n][PE] = source_word[n];
      for (int o = 0; o < PORTS; ++o) if (out[n][o].words_left != 0) held[n][out[n][o].held_input] = 1'b1;
      for (int i = 0; i < PORTS; ++i) begin
        if (head_valid[n][i] && !held[n][i]) asking[n][route(n, head[n][i][31:16])][i] = 1'b1;
      end
      for (int o = 0; o < PORTS; ++o) begin
        begins[n][o] = out[n][o].words_left == 0 && asking[n][o] != 0 && (o == PE || out[n][o].credits != 0);
        sends[n][o] = begins[n][o] || out[n][o].words_left != 0;
        ends[n][o] = begins[n][o] ? PHITS == 1 : int'(out[n][o].words_left) == 1;
        chosen[n][o] = begins[n][o] ? in_turn(asking[n][o], out[n][o].next_input) : out[n][o].held_input;
      end
    end
  end

  always_comb begin : local_port
    source_taken = '{default: 1'b0};
    for (int n = 0; n < ROUTERS; ++n) begin
      eject_valid[n] = ends[n][PE];
      eject_word[n]  = head[n][chosen[n][PE]];
      for (int o = 0; o < PORTS; ++o) if (ends[n][o] && int'(chosen[n][o]) == PE) source_taken[n] = 1'b1;
    end
  end

  always_comb begin : move
    fifo_next = fifo;
    fifo_word_next = fifo_word;
    out_next = out;
    stage_valid_next = stage_valid;
    stage_word_next = stage_word;
    for (int n = 0; n < ROUTERS; ++n) begin
      for (int o = 0; o < PORTS; ++o) begin
        if (begins[n][o]) begin
          out_next[n][o].words_left = PHIT_BITS'(PHITS - 1);
          out_next[n][o].held_input = chosen[n][o];
          out_next[n][o].next_input = 3'((int'(chosen[n][o]) + 1) % PORTS);
        end else if (sends[n][o]) begin
          out_next[n][o].words_left = out[n][o].words_left - 1'b1;
        end
        if (o != PE && begins[n][o]) out_next[n][o].credits = out_next[n][o].credits - 1'b1;
        if (sends[n][o] && int'(chosen[n][o]) != PE) begin
          // A word leaves a FIFO; with the last one of a vector a place is free.
          fifo_next[n][chosen[n][o][1:0]].first = place(fifo[n][chosen[n][o][1:0]].first, 1);
          fifo_next[n][chosen[n][o][1:0]].count = fifo_next[n][chosen[n][o][1:0]].count - 1'b1;
          if (ends[n][o]) begin
            out_next[neighbour(n, int'(chosen[n][o]))][opposite(int'(chosen[n][o]))].credits =
                out_next[neighbour(n, int'(chosen[n][o]))][opposite(int'(chosen[n][o]))].credits + 1'b1;
          end
        end
      end
      for (int o = 0; o < LINKS; ++o) begin
        if (has_neighbour(n, o)) begin
          stage_valid_next[n][o][0] = sends[n][o];
          stage_word_next[n][o][0]  = head[n][chosen[n][o]];
          for (int s = 1; s < STAGES; ++s) begin
            stage_valid_next[n][o][s] = stage_valid[n][o][s-1];
            stage_word_next[n][o][s]  = stage_word[n][o][s-1];
          end
          if (LATENCY == 1 ? sends[n][o] : stage_valid[n][o][STAGES-1]) begin
            fifo_word_next[neighbour(n, o)][opposite(o)][place(
                fifo[neighbour(n, o)][opposite(o)].first, int'(fifo[neighbour(n, o)][opposite(o)].count)
            )] = LATENCY == 1 ? head[n][chosen[n][o]] : stage_word[n][o][STAGES-1];
            fifo_next[neighbour(n, o)][opposite(o)].count = fifo_next[neighbour(n, o)][opposite(o)].count + 1'b1;
          end
        end
      end
    end
  end

  always_ff @(posedge clock) begin
    if (reset) begin
      fifo <= '{default: '{default: '0}};
      out <= '{default: '{default: '{words_left: '0, held_input: '0, next_input: '0, credits: CREDIT_BITS'(DEPTH)}}};
      stage_valid <= '{default: '{default: '{default: 1'b0}}};
    end else begin
      fifo <= fifo_next;
      out <= out_next;
      stage_valid <= stage_valid_next;
    end
    fifo_word  <= fifo_word_next;
    stage_word <= stage_word_next;
  end

  // What must hold for the test to mean anything.
  always_ff @(posedge clock) begin
    for (int n = 0; n < ROUTERS; ++n) begin
      for (int o = 0; o < PORTS; ++o) begin
        if (!reset && sends[n][o] && !head_valid[n][chosen[n][o]]) $fatal(1, "a word of a vector is late");
        if (!reset && o != PE && int'(out[n][o].credits) > DEPTH) $fatal(1, "there are more credits than places");
      end
      for (int i = 0; i < LINKS; ++i) begin
        if (!reset && int'(fifo[n][i].count) > WORDS) $fatal(1, "a vector was sent without a credit");
      end
    end
  end
endmodule
