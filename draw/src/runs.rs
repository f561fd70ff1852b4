//! Which stretches of arcs and chains are held level.

use crate::graph::Part;
use crate::rules::Walk;
use crate::web::{Role, Web};

/// Numbers the variables: groups first, then one for each run of elements that are held level.
pub(super) fn variables(
    part: &Part,
    web: &Web,
    straight: &[(usize, usize)],
    longest: usize,
) -> (Vec<usize>, usize) {
    let mut level_with = vec![None; web.role.len()];
    for &(left, right) in straight {
        level_with[right] = Some(left);
    }
    let mut variable = vec![usize::MAX; web.role.len()];
    let mut length = vec![1; web.role.len()];
    let mut next = 2 * part.groups.len();
    for &element in web
        .layers
        .iter()
        .flatten()
        .filter(|&&e| web.role[e] != Role::Hold)
    {
        match level_with[element].filter(|&left| length[left] < longest) {
            Some(left) => {
                variable[element] = variable[left];
                length[element] = length[left] + 1;
            }
            None => {
                variable[element] = next;
                next += 1;
            }
        }
    }
    (variable, next)
}

/// The links that are drawn level, chosen so that no two of them cross and none crosses the side of
/// a box.
pub(super) fn straight_links(part: &Part, web: &Web) -> Vec<(usize, usize)> {
    let mut index = vec![0; web.role.len()];
    for layer in &web.layers {
        for (i, &element) in layer.iter().enumerate() {
            index[element] = i;
        }
    }
    let mut leaving = vec![0_usize; web.role.len()];
    let mut arriving = vec![0_usize; web.role.len()];
    for &(a, b) in &web.links {
        leaving[a] += 1;
        arriving[b] += 1;
    }
    let mut by_layer: Vec<Vec<(usize, usize)>> = vec![Vec::new(); web.layers.len()];
    for &(a, b) in web
        .links
        .iter()
        .filter(|&&(a, b)| leaving[a] == 1 && arriving[b] == 1)
    {
        by_layer[web.layer[a]].push((a, b));
    }
    let mut chosen = Vec::new();
    for (layer, mut links) in by_layer.into_iter().enumerate() {
        if !part.groups.is_empty() && layer + 1 < web.layers.len() {
            let left = sides(part, web, layer, layer + 1);
            let right = sides(part, web, layer + 1, layer);
            links.retain(|&(a, b)| left[index[a]] == right[index[b]]);
        }
        links.sort_by_key(|&(a, _)| index[a]);
        chosen.extend(longest_rising(&links, &index));
    }
    chosen
}

/// For each element of a layer, how many tops and bottoms of boxes that also cross the other layer
/// are above it.
fn sides(part: &Part, web: &Web, layer: usize, other: usize) -> Vec<usize> {
    let mut passed = 0;
    let mut sides = Vec::with_capacity(web.layers[layer].len());
    let crosses =
        |g: usize| part.groups[g].boxed && (web.spans[g].0..=web.spans[g].1).contains(&other);
    let mut walk = Walk::default();
    for &element in &web.layers[layer] {
        walk.enter(part, web.nest[element], |group, _| {
            passed += usize::from(crosses(group))
        });
        sides.push(passed);
    }
    sides
}

/// The most links, out of some that are sorted by their left ends, of which no two cross.
fn longest_rising(links: &[(usize, usize)], index: &[usize]) -> Vec<(usize, usize)> {
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(links.len());
    for (i, link) in links.iter().enumerate() {
        let at = ends.partition_point(|&e| index[links[e].1] < index[link.1]);
        before.push(at.checked_sub(1).map(|p| ends[p]));
        if at == ends.len() {
            ends.push(i);
        } else {
            ends[at] = i;
        }
    }
    std::iter::successors(ends.last().copied(), |&i| before[i])
        .map(|i| links[i])
        .collect()
}
