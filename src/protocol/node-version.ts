/**
 * Throws where this Node is older than 22.18. Both ends say so when they are loaded: what an older one lacks would
 * otherwise look like an outage of the issuer.
 */
export function checkNodeVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 18)) return
  throw new Error(`remit needs Node 22.18 or newer, and this is ${version}; npm install -D node@26 brings one.`)
}
