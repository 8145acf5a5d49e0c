/**
 * What to do on a Node that is too old, or undefined on one that will do. Plain JavaScript, so that every Node can say
 * it; `version` as in process.versions.node.
 */
export function olderNodeMessage(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 18)) return undefined
  return `Remit needs Node 22.18 or newer and this is ${version}: in the repository use "npm start" or "npm run remit", which bring their own Node after "npm ci", or install Node 22.18+.`
}
