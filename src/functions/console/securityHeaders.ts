/** The headers of every file of the console. Source of the directives: W3C, "Content Security Policy Level 3". */
import type { ConsoleConfig } from './consoleConfig.ts';

/**
 * SHA-256 of no text. Griffel, which writes the styles of Fluent UI, makes empty style elements and adds rules through
 * the CSSOM, which the policy does not restrict. A style element with text stays refused.
 */
const emptyStyle = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";

export function securityHeaders({ authority, local }: ConsoleConfig): Record<string, string> {
  const issuers = local === undefined ? [new URL(authority).origin] : [local.issuer, local.keyVault];
  return {
    'Content-Security-Policy': [
      "default-src 'none'",
      "script-src 'self'",
      `style-src 'self' ${emptyStyle}`,
      "img-src 'self'",
      `connect-src 'self' ${issuers.join(' ')}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      // W3C, "Trusted Types": no text becomes HTML, a script or the address of one.
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join('; '),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  };
}
