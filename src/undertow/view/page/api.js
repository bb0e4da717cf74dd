// What the server is asked. Addresses are relative, so that the token in the page's own address goes along.

function address(path, params = {}) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") given.append(name, one);
    }
  }
  const query = given.toString();
  return `api/${path}${query ? `?${query}` : ""}`;
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    throw error instanceof TypeError ? new Error("undertow view has ended; the page shows what it had") : error;
  }
}

async function read(reply) {
  let held;
  try {
    held = await reply.json();
  } catch {
    throw new Error(`the server answered with status ${reply.status}`);
  }
  if (!reply.ok) throw new Error(held.error ?? `status ${reply.status}`);
  return held;
}

export async function get(path, params, signal) {
  return read(await reach(address(path, params), { signal }));
}

export async function post(path, said = {}) {
  return read(await reach(`api/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) }));
}
