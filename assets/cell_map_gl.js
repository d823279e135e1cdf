// The painter of the cell map: WebGL2 points. The flat painter does the same on a 2D canvas.
const VERTEX = `#version 300 es
layout(location=0) in vec2 at; layout(location=1) in uint code; layout(location=2) in uint mark;
uniform vec2 center, zoom; uniform float size, last; uniform bool picked;
uniform sampler2D table;
out vec4 fill; out vec3 rim; flat out float px;
void main() {
  int entry = last == 0.0 || code == 0u ? int(code) : 1 + int(float(code - 1u) / last * 255.0);
  int state = (mark & 2u) > 0u ? 2 : (mark & 1u) > 0u ? 3 : picked ? 1 : 0;
  ivec2 look = ivec2((entry & 31) * 8 + state, entry >> 5);
  fill = texelFetch(table, look, 0);
  rim = texelFetch(table, look + ivec2(4, 0), 0).rgb;
  px = size * (state == 3 ? 1.25 : state == 2 ? 0.8 : 1.0);
  gl_Position = vec4((at - center) * zoom, 0, 1); gl_PointSize = px + 1.0;
}`
const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 fill; in vec3 rim; flat in float px; out vec4 color;
void main() {
  float r = length(gl_PointCoord - 0.5) * (px + 1.0), edge = px * 0.5;
  float a = fill.a * (1.0 - smoothstep(edge - 0.6, edge + 0.5, r));
  float band = px < 5.0 ? 0.0 : smoothstep(edge - 2.0, edge - 1.0, r);
  color = vec4(mix(fill.rgb, rim, band) * a, a);
}`

function compiled(gl) {
  const program = gl.createProgram()
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind)
    gl.shaderSource(shader, text)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
  }
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
    throw new Error(gl.getProgramInfoLog(program))
  return program
}

// null where there is no WebGL2. `draw` calls `done` with the milliseconds it took.
function createPainter(canvas) {
  const gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true })
  if (!gl) return null
  const program = compiled(gl), places = {}
  gl.useProgram(program)
  gl.enable(gl.BLEND)
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture())
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST)
  const uniform = (name) => (places[name] ??= gl.getUniformLocation(program, name))
  const buffers = [0, 1, 2, 3, 4].map(() => gl.createBuffer())
  const fill = (i, array) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[i])
    gl.bufferData(gl.ARRAY_BUFFER, array, gl.STATIC_DRAW)
    gl.enableVertexAttribArray(i)
  }
  const list = (i, array) => {
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers[i])
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, array, gl.STATIC_DRAW)
  }
  const finished = (started, done) => {
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0)
    gl.flush()
    const ask = () => {
      if (gl.isContextLost()) return (painter.busy = false)
      if (gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED) return setTimeout(ask, 4)
      gl.deleteSync(fence)
      painter.busy = false
      done(performance.now() - started)
    }
    setTimeout(ask)
  }
  let all = 0, few = 0
  const painter = {
    kind: "webgl2",
    busy: false,
    lost: () => gl.isContextLost(),
    forget: () => gl.getExtension("WEBGL_lose_context")?.loseContext(),
    coordinates(d) {
      fill(0, d.xy)
      gl.vertexAttribPointer(0, 2, gl.UNSIGNED_SHORT, true, 0, 0)
    },
    codes(d) {
      fill(1, d.codes)
      gl.vertexAttribIPointer(1, 1, gl.UNSIGNED_SHORT, 0, 0)
    },
    marks(marks, order, thin) {
      fill(2, marks)
      gl.vertexAttribIPointer(2, 1, gl.UNSIGNED_BYTE, 0, 0)
      list(3, order)
      list(4, thin)
      all = order.length
      few = thin.length
    },
    look: (table) => gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, table.length / 1024, 0, gl.RGBA, gl.UNSIGNED_BYTE, table),
    draw({ view, width, size, d, thin }, done) {
      painter.busy = true
      const started = performance.now(), ratio = canvas.width / width
      gl.viewport(0, 0, canvas.width, canvas.height)
      gl.clearColor(0, 0, 0, 0)
      gl.clear(gl.COLOR_BUFFER_BIT)
      gl.uniform2f(uniform("center"), view.x, view.y)
      gl.uniform2f(uniform("zoom"), (2 * view.k * ratio) / canvas.width, (2 * view.k * ratio) / canvas.height)
      gl.uniform1f(uniform("size"), size * ratio)
      gl.uniform1f(uniform("last"), d.names ? 0 : d.last)
      gl.uniform1i(uniform("picked"), d.picked > 0)
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers[thin ? 4 : 3])
      gl.drawElements(gl.POINTS, thin ? few : all, gl.UNSIGNED_INT, 0)
      finished(started, done)
    },
  }
  return painter
}
