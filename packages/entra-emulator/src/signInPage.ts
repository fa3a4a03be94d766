/** The pages that a browser sees: the users of a tenant to sign in as, and an error. They need no script. */
import type { Principal } from './directory.ts';
import type { Answer } from './http.ts';

export function signInPage(client: Principal, users: readonly Principal[], query: URLSearchParams): Answer {
  const buttons = users.map(
    ({ objectId, name, userPrincipalName = '', roles }) => `
      <li><button name="user" value="${escaped(objectId)}">${escaped(name)}</button>
      <span>${escaped(userPrincipalName)}</span> <small>${escaped(roles.join(', ') || 'no app roles')}</small></li>`,
  );
  const none = '<li>The tenant has no user. PUT /control/identities/{name} with kind "user" adds one.</li>';
  return page(
    200,
    'Sign in on this machine',
    `<p>This is the local token issuer, not Microsoft Entra ID. Choose the user to sign in to ${escaped(client.name)}.</p>
    <form method="post" action="?${escaped(String(query))}"><ul>${buttons.join('') || none}</ul></form>`,
  );
}

export const errorPage = (message: string, status = 400): Answer =>
  page(status, 'Sign in on this machine', `<p>${escaped(message)}</p>`);

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}
ul{list-style:none;padding:0}li{margin:1rem 0}button{font:inherit;padding:.4rem 1rem;min-width:9rem}small{display:block}`;

const page = (status: number, title: string, content: string): Answer => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${style}</style></head><body><main><h1>${title}</h1>${content}</main></body></html>`,
});

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (char) => entities[char] ?? '');
